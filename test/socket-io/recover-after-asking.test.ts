import { once } from "node:events";
import { createAdapter } from "@socket.io/redis-streams-adapter";
import { Server } from "socket.io";
import type { Socket as ClientSocket } from "socket.io-client";
import { describe, expect, it, vi } from "vitest";
import { EventError, recoverAfterAsking, SocketIngress } from "socket-ingress";
import { deferred } from "../fixtures/deferred.js";
import { needs } from "../fixtures/needs.js";
import { recordingLog } from "../fixtures/recording-log.js";
import { ownRedis } from "../fixtures/redis.js";
import { received, serve, type Served } from "../fixtures/serve.js";

/** Servers that know of each other's sessions. */
interface Nodes extends AsyncDisposable {
  readonly nodes: readonly [Node, ...Node[]];
}

interface Node {
  readonly served: Served;
  readonly ingress: SocketIngress;
}

const recovery = { connectionStateRecovery: { skipMiddlewares: false } };

async function inMemory(): Promise<Nodes> {
  const served = await serve(undefined, { ...recovery, adapter: recoverAfterAsking() });
  return { nodes: [attach(served)], [Symbol.asyncDispose]: () => served.close() };
}

async function onRedisStreams(): Promise<Nodes> {
  const redis = await ownRedis();
  const nodes: Node[] = [];
  const clients = [await redis.connect(), await redis.connect()];
  for (const client of clients) {
    const adapter = recoverAfterAsking(createAdapter(client, { blockTimeInMs: 50 }));
    nodes.push(attach(await serve(undefined, { ...recovery, adapter })));
  }
  // Until it has read something, the adapter misses what comes between two questions to the stream.
  const heard = nodes.map(() => new Set<unknown>());
  const probes = await Promise.all(nodes.map(({ served }) => served.connect()));
  for (const [i, probe] of probes.entries()) {
    probe.on("probe", (from) => heard[i]?.add(from));
    await nodes[i]?.served.serverSide(probe).join("probes");
  }
  await vi.waitFor(() => {
    for (const [i, { served }] of nodes.entries()) served.io.to("probes").emit("probe", i);
    if (heard.some(({ size }) => size < nodes.length)) throw new Error("a node does not hear the other yet");
  });
  for (const probe of probes) probe.disconnect();
  return {
    nodes: nodes as unknown as Nodes["nodes"],
    [Symbol.asyncDispose]: async () => {
      for (const { served } of nodes) await served.close();
      // The adapter waits for nothing it sends; what is on its way would be rejected, and nobody there to hear of it.
      for (const client of clients) await client.ping();
      await redis[Symbol.asyncDispose]();
    },
  };
}

function attach(served: Served): Node {
  const ingress = new SocketIngress({ logger: recordingLog() }).attach(served.io);
  ingress.subscribe("sync", () => true);
  return { served, ingress };
}

/** A client in the room `blue`, with an offset to recover from, and all numbers it hears. */
async function member({ served }: Node): Promise<{ client: ClientSocket; heard: unknown[] }> {
  const client = await served.connect({ reconnection: false });
  const heard: unknown[] = [];
  client.on("n", (n) => heard.push(n));
  await served.serverSide(client).join("blue");
  served.io.to("blue").emit("n", "first");
  await vi.waitFor(() => expect(heard).toEqual(["first"]));
  return { client, heard };
}

/** Cuts the client's transport, and resolves when the server has noticed. */
async function cut({ served }: Node, client: ClientSocket): Promise<void> {
  const there = served.io.sockets.sockets.get(client.id ?? "");
  const gone = there && once(there, "disconnect");
  client.io.engine.close();
  await gone;
}

/** How a client that wants to recover says so. */
function recoveryId(client: ClientSocket): { pid: string; offset: string } {
  const { _pid: pid, _lastOffset: offset } = client as unknown as { _pid: string; _lastOffset: string };
  return { pid, offset };
}

function back(client: ClientSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    client.once("connect", () => resolve());
    client.once("connect_error", reject);
    client.connect();
  });
}

it("a server that would let recovered clients past its middleware is refused, and one without recovery is as it is", async () => {
  for (const connectionStateRecovery of [{}, { skipMiddlewares: true }]) {
    expect(() => new Server({ connectionStateRecovery, adapter: recoverAfterAsking() })).toThrow(
      /recoverAfterAsking: expected connectionStateRecovery: \{ skipMiddlewares: false \}, got skipMiddlewares: /,
    );
  }
  expect(() => recoverAfterAsking("redis" as never)).toThrow(/recoverAfterAsking: expected an adapter .*"redis"/);
  const plain = new Server({ adapter: recoverAfterAsking() });
  expect(plain.of("/").adapter.constructor).toBe(new Server().of("/").adapter.constructor);
});

it("recovery ids are spent for as long as sessions are kept, and no longer", async () => {
  const { now } = Date;
  let later = 0;
  vi.spyOn(Date, "now").mockImplementation(() => now() + later);
  await using running = await inMemory();
  const [node] = running.nodes;
  for (let round = 0; round < 3; round++) {
    const { client } = await member(node);
    await cut(node, client);
    await back(client);
    expect(client.recovered).toBe(true);
    client.disconnect();
    later += 121_000;
  }
  vi.restoreAllMocks();
});

it("what is not kept for a recovery is not sent for having come while it was asked", async () => {
  const adapter = recoverAfterAsking();
  const kept = { skipMiddlewares: false, maxDisconnectionDuration: 60_000 };
  const served = await serve(undefined, { connectionStateRecovery: kept, adapter });
  await using _served = { [Symbol.asyncDispose]: () => served.close() };
  const node = attach(served);
  const { client, heard } = await member(node);
  await cut(node, client);
  const [asked, verdict] = [deferred(), deferred<boolean>()];
  node.ingress.subscribe("connect", () => {
    asked.resolve();
    return verdict.promise;
  });
  const again = back(client);
  await asked.promise;
  served.io.to("blue").volatile.emit("n", "volatile");
  served.io.to("blue").emit("n", "kept");
  verdict.resolve(true);
  await again;
  expect(await client.emitWithAck("sync")).toBe(true);
  expect([client.recovered, heard]).toEqual([true, ["first", "kept"]]);
});

function suite(start: () => Promise<Nodes>): void {
  it("what was missed, and what came while it was asked, comes after the verdict, once and in order", async () => {
    await using running = await start();
    const [node] = running.nodes;
    const { client, heard } = await member(node);
    const { io } = node.served;
    await cut(node, client);
    for (let n = 0; n < 20; n++) io.to("blue").emit("n", n);
    io.to("red").emit("n", "not for it");
    const [asked, verdict] = [deferred(), deferred<boolean>()];
    node.ingress.subscribe("connect", ({ socket }) => {
      expect(socket.recovered).toBe(true);
      expect([...socket.rooms]).toEqual([]);
      asked.resolve();
      return verdict.promise;
    });
    const again = back(client);
    await asked.promise;
    for (let n = 20; n < 40; n++) io.to(n % 2 === 0 ? "blue" : []).emit("n", n);
    io.except("blue").emit("n", "not for it either");
    expect(heard).toEqual(["first"]);
    verdict.resolve(true);
    await again;
    io.to("blue").emit("n", 40);
    await vi.waitFor(() => expect(heard.at(-1)).toBe(40));
    expect(client.recovered).toBe(true);
    expect(heard).toEqual(["first", ...Array.from({ length: 41 }, (_, n) => n)]);
    expect(node.served.serverSide(client).rooms).toEqual(new Set([client.id, "blue"]));
  });

  it("whoever was banned meanwhile is sent nothing, and is not let in by the same id later", async () => {
    await using running = await start();
    const [node] = running.nodes;
    const { client, heard } = await member(node);
    await cut(node, client);
    node.served.io.to("blue").emit("n", "secret");
    let banned = true;
    node.ingress.subscribe("connect", () => {
      if (banned) throw new EventError("FORBIDDEN", "banned");
    });
    const told = vi.fn();
    client.on("n", told);
    await expect(back(client)).rejects.toThrow("banned");
    banned = false;
    await back(client);
    expect(client.recovered).toBe(false);
    await client.emitWithAck("sync");
    expect(told).not.toHaveBeenCalled();
    expect(heard).toEqual(["first"]);
  });

  it("one recovery id given three times makes one recovered transport, and two new connections", async () => {
    await using running = await start();
    const { nodes } = running;
    const { client, heard } = await member(nodes[0]);
    const id = client.id;
    const auth = recoveryId(client);
    await cut(nodes[0], client);
    nodes[0].served.io.to("blue").emit("n", "missed");
    const heardBy: unknown[][] = [];
    const clients = await Promise.all(
      [0, 1, 2].map(async (i) => {
        const other = (nodes[i % nodes.length] as Node).served.client({ auth });
        const mine: unknown[] = [];
        heardBy.push(mine);
        other.on("n", (n) => mine.push(n));
        await back(other);
        await other.emitWithAck("sync");
        return other;
      }),
    );
    expect(clients.filter((other) => other.id === id)).toHaveLength(1);
    expect(new Set(clients.map((other) => other.id)).size).toBe(3);
    expect(heardBy.filter(({ length }) => length > 0)).toEqual([["missed"]]);
    const late = nodes[0].served.client({ auth });
    await back(late);
    expect(late.id).not.toBe(id);
    expect(heard).toEqual(["first"]);
  });

  it("a client whose connection ends while it is asked keeps its session, and can recover a second time", async () => {
    await using running = await start();
    const [node] = running.nodes;
    const { client, heard } = await member(node);
    await cut(node, client);
    node.served.io.to("blue").emit("n", 1);
    let asked = deferred();
    let verdict = deferred<boolean>();
    const gone = deferred();
    node.ingress.subscribe("connect", ({ socket, signal }) => {
      expect(socket.recovered).toBe(true);
      signal.addEventListener("abort", () => gone.resolve());
      asked.resolve();
      return verdict.promise;
    });
    client.connect();
    await asked.promise;
    client.io.engine.close();
    await gone.promise;
    node.served.io.to("blue").emit("n", 2);
    for (const n of [3, 4]) {
      [asked, verdict] = [deferred(), deferred<boolean>()];
      const again = back(client);
      await asked.promise;
      verdict.resolve(true);
      await again;
      expect(client.recovered).toBe(true);
      node.served.io.to("blue").emit("n", n);
      await vi.waitFor(() => expect(heard.at(-1)).toBe(n));
      await cut(node, client);
    }
    expect(heard).toEqual(["first", 1, 2, 3, 4]);
  });

  it("pushes that go on while a client comes and goes between nodes reach it once each", async () => {
    await using running = await start();
    const { nodes } = running;
    const { client, heard } = await member(nodes[0]);
    for (const { ingress } of nodes) ingress.subscribe("connect", () => new Promise(setImmediate).then(() => true));
    const [id, auth] = [client.id, recoveryId(client)];
    let here = nodes[0];
    let current = client;
    let n = 0;
    const push = (): void => {
      for (const [i, { served }] of nodes.entries()) served.io.to("blue").emit("n", `${i}:${n}`);
      n++;
    };
    for (let round = 0; round < 8; round++) {
      // The adapter delivers what its own node sends out of the stream's order, and a client knows only the last offset it heard: the
      // cut comes when all is quiet, and one push was the last for both nodes.
      const quiet = received(current, "quiet");
      here.served.io.to("blue").emit("quiet");
      await quiet;
      await cut(here, current);
      push();
      here = nodes[round % nodes.length] as Node;
      const { offset } = recoveryId(current);
      const next = here.served.client({ auth: { ...auth, offset } });
      next.on("n", (value) => heard.push(value));
      const pushing = new AbortController();
      const stream = (async () => {
        for (let i = 0; i < 50 && !pushing.signal.aborted; i++) {
          push();
          await new Promise(setImmediate);
        }
      })();
      await back(next);
      expect(next.id).toBe(id);
      pushing.abort();
      await stream;
      push();
      // Each of these is the last of its node: when they are here, so is everything that comes.
      await vi.waitFor(() => {
        for (const i of nodes.keys()) expect(heard).toContain(`${i}:${n - 1}`);
      });
      current = next;
    }
    for (const i of nodes.keys()) {
      const ofNode = heard.filter((value) => String(value).startsWith(`${i}:`));
      expect(ofNode).toEqual(Array.from({ length: n }, (_, k) => `${i}:${k}`));
    }
  }, 60_000);
}

describe("recovery after asking, with Socket.IO's own adapter", () => suite(inMemory));

needs("redis")("recovery after asking, over Redis streams", () => suite(onRedisStreams));
