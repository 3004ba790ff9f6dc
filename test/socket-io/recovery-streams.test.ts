import { once } from "node:events";
import { Server, type Namespace } from "socket.io";
import type { Socket as ClientSocket } from "socket.io-client";
import { expect, it, vi } from "vitest";
import { type AdapterConstructor, recoverAfterAsking, SocketIngress } from "socket-ingress";
import { deferred } from "../fixtures/deferred.js";
import { recordingLog } from "../fixtures/recording-log.js";
import { serve, type Served } from "../fixtures/serve.js";

interface Session {
  readonly pid: string;
  readonly sid: string;
  readonly rooms: string[];
  readonly data: unknown;
}

/** What of Socket.IO's own adapter is built on here; its type leaves packets and options open. */
interface Base {
  readonly nsp: Namespace;
  broadcast(packet: { data: unknown[] }, opts: object): unknown;
}

const InMemory = new Server().of("/").adapter.constructor as new (namespace: Namespace) => Base;

/** An adapter whose nodes read one stream, as that for Redis does: a test says what has been read, and what is in it. */
class Stream extends InMemory {
  static latest: Stream;
  readonly uid = "this node";
  readonly sessions = new Map<string, Session>();
  /** What the stream holds for whoever comes back. */
  missed: unknown[][] = [];
  #entries = 0;

  constructor(namespace: Namespace) {
    super(namespace);
    if (namespace.name === "/") Stream.latest = this;
  }

  override async broadcast(packet: { data: unknown[] }, opts: object): Promise<void> {
    await Promise.resolve();
    packet.data.push(`${++this.#entries}-0`);
    super.broadcast(packet, opts);
  }

  onMessage({ data }: { data: { packet: { data: unknown[] }; opts: { rooms: string[]; except: string[] } } }): void {
    const { rooms, except } = data.opts;
    super.broadcast(data.packet, { rooms: new Set(rooms), except: new Set(except), flags: {} });
  }

  persistSession(session: Session): void {
    this.sessions.set(session.pid, session);
  }

  async restoreSession(pid: string): Promise<object | null> {
    const session = this.sessions.get(pid);
    return session === undefined ? null : { ...session, missedPackets: this.missed.map((data) => [...data]) };
  }

  /** This node reads what another has written. */
  read(offset: string, ...data: unknown[]): void {
    const message = {
      uid: "another",
      nsp: "/",
      type: 3,
      data: { packet: { type: 2, data }, opts: { rooms: ["blue"], except: [] } },
    };
    const { onMessage } = this as unknown as { onMessage(message: object, offset: string): void };
    onMessage.call(this, message, offset);
  }
}

/** A client in the room `blue` that has heard something, and is cut off. */
async function cutOff(served: Served): Promise<{ client: ClientSocket; heard: unknown[] }> {
  const client = await served.connect({ reconnection: false });
  const heard: unknown[] = [];
  client.on("n", (n) => heard.push(n));
  const side = served.serverSide(client);
  await side.join("blue");
  served.io.to(side.id).emit("n", "first");
  await vi.waitFor(() => expect(heard).toEqual(["first"]));
  const gone = once(side, "disconnect");
  client.io.engine.close();
  await gone;
  return { client, heard };
}

const back = (client: ClientSocket): Promise<unknown> => {
  const connected = new Promise((resolve) => client.once("connect", () => resolve(undefined)));
  client.connect();
  return connected;
};

it("what clients were sent for having missed it is not sent again when this node comes to read it, and nothing else is held back", async () => {
  const adapter = recoverAfterAsking(Stream as unknown as NonNullable<AdapterConstructor>);
  // As long as Socket.IO does by itself.
  const kept = { skipMiddlewares: false, maxDisconnectionDuration: undefined as unknown as number };
  const served = await serve(undefined, { connectionStateRecovery: kept, adapter });
  await using _served = { [Symbol.asyncDispose]: () => served.close() };
  const ingress = new SocketIngress({ logger: recordingLog() }).attach(served.io);
  ingress.subscribe("sync", () => true);
  const stream = Stream.latest;
  const [one, two] = [await cutOff(served), await cutOff(served)];
  const other = await served.connect({ auth: { pid: "made up", offset: "1-0" } });
  expect(other.recovered).toBe(false);
  await served.serverSide(other).join("blue");
  const heard: unknown[] = [];
  other.on("n", (n) => heard.push(n));
  stream.read("5-0", "n", "before", "5-0");
  // Written by another node, and not read here; the last is of an adapter that says no place.
  stream.missed = [
    ["n", "six", "6-0"],
    ["n", "seven", "7-0"],
    ["n", "nowhere"],
    ["n", 8],
  ];
  const [asked, verdict] = [deferred(), deferred<boolean>()];
  let asks = 0;
  const off = ingress.subscribe("connect", () => {
    if (++asks === 2) asked.resolve();
    return verdict.promise;
  });
  const both = Promise.all([one, two].map(({ client }) => back(client)));
  await asked.promise;
  verdict.resolve(true);
  await both;
  off();
  stream.read("6-0", "n", "six", "6-0");
  stream.read("7-0", "n", "seven", "7-0");
  stream.read("9-0", "n", "nine", "9-0");
  for (const { client } of [one, two]) await client.emitWithAck("sync");
  await other.emitWithAck("sync");
  for (const { client, heard: own } of [one, two])
    expect([client.recovered, own]).toEqual([true, ["first", "six", "seven", "nowhere", 8, "nine"]]);
  expect(heard).toEqual(["before", "six", "seven", "nine"]);
});
