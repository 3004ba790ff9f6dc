import { afterAll, describe, expect, onTestFailed, test } from "vitest";
import { Decoder, Encoder } from "socket.io-msgpack-parser";

import { NoAnswer, RawClient } from "../fixtures/raw-client.js";
import { Contestant } from "./contestant.js";
import { leakIn } from "./stage.js";

interface Packet {
  readonly type: number;
  readonly nsp: string;
  readonly id?: unknown;
  readonly data?: unknown;
}

/** Speaks Socket.IO in MessagePack, in which an event's name can be anything at all. */
class MsgpackClient implements AsyncDisposable {
  readonly packets: Packet[] = [];
  readonly raw: RawClient;
  readonly #encoder = new Encoder() as unknown as { encode(packet: unknown): Buffer[] };

  private constructor(raw: RawClient) {
    this.raw = raw;
    const decoder = new Decoder();
    decoder.on("decoded", (packet: Packet) => this.packets.push(packet));
    raw.onBinary = (data) => decoder.add(data);
  }

  static async connect(url: string): Promise<MsgpackClient> {
    const client = new MsgpackClient(await RawClient.open(url));
    client.send({ type: 0, nsp: "/" });
    await client.raw.until(() => client.packets.some(({ type }) => type === 0), "CONNECT");
    return client;
  }

  send(packet: unknown): this {
    for (const frame of this.#encoder.encode(packet)) this.raw.frame(Buffer.from(frame));
    return this;
  }

  /** The reply to an event, or what stands for it: `closed`. */
  async call(data: readonly unknown[], id: unknown = this.raw.freshId()): Promise<unknown> {
    this.send({ type: 2, nsp: "/", id, data });
    const replies = (): Packet[] => this.packets.filter((packet) => packet.type === 3 && packet.id === id);
    try {
      await this.raw.until(() => replies().length > 0, "a reply");
    } catch (error) {
      if (error instanceof NoAnswer && error.reason === "closed") return "closed";
      throw error;
    }
    return (replies()[0]!.data as unknown[])[0];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.raw[Symbol.asyncDispose]();
  }
}

const script = new URL("./server.ts", import.meta.url);
let shared: Contestant | undefined;

/** One process serves them all as long as nothing goes wrong with it. */
async function server(): Promise<Contestant> {
  onTestFailed(async () => {
    await shared?.[Symbol.asyncDispose]();
    shared = undefined;
  });
  return (shared ??= await Contestant.start(script, { PARSER: "msgpack" }));
}

afterAll(async () => shared?.[Symbol.asyncDispose]());

/** The server lives, serves the next client, and none of its life events was told more often than sockets came and went. */
async function unharmed(home: Contestant, frames: readonly string[]): Promise<void> {
  await home.command("settle");
  await using honest = await MsgpackClient.connect(home.url);
  expect(await honest.call(["honest", 41])).toEqual({ ok: 42 });
  expect(home.ending).toBeUndefined();
  expect(leakIn(frames)).toBeUndefined();
}

describe("With a parser that lets every name through", () => {
  test.each([
    "connect",
    "connection",
    "connect_error",
    "disconnecting",
    "disconnect",
    "error",
    "newListener",
    "removeListener",
  ])("a client's %s reaches no subscriber: it is answered with a failure or closes the connection", async (name) => {
    const home = await server();
    await using client = await MsgpackClient.connect(home.url);
    const before = await home.command<Record<string, number>>("lives");
    client.send({ type: 2, nsp: "/", data: [name, "forged"] });
    const reply = await client.call([name, "forged"]);
    await home.command("settle");
    const after = await home.command<Record<string, number>>("lives");
    if (reply === "closed") {
      // The end of the connection is told, once; what the client said is not.
      const ended = { disconnecting: before["disconnecting"]! + 1, disconnect: before["disconnect"]! + 1 };
      expect(after).toEqual({ ...before, ...ended });
    } else {
      expect(reply).toMatchObject({ error: { code: expect.stringMatching(/UNKNOWN_EVENT|FORBIDDEN|INVALID_INPUT/) } });
      expect(after).toEqual(before);
      expect(await client.call(["honest", 41])).toEqual({ ok: 42 });
    }
    await unharmed(home, client.raw.frames);
  });

  test.each([
    ["null", null],
    ["undefined", undefined],
    ["true", true],
    ["NaN", Number.NaN],
    ["an array", ["honest"]],
    ["an object", { honest: 1 }],
    ["an object that can't be made a key", { toString: "x", valueOf: "y" }],
    ["a date", new Date(0)],
    ["a buffer", Buffer.from("honest")],
  ] as const)(
    "%s for a name is answered with a failure or closes the connection, and harms nobody else",
    async (_what, name) => {
      const home = await server();
      await using client = await MsgpackClient.connect(home.url);
      const reply = await client.call([name, "x"]);
      if (reply !== "closed")
        expect(reply).toMatchObject({
          error: { code: expect.stringMatching(/UNKNOWN_EVENT|FORBIDDEN|INVALID_INPUT/) },
        });
      await unharmed(home, client.raw.frames);
    },
  );

  test("an event without any name is answered with a failure or closes the connection, and harms nobody else", async () => {
    const home = await server();
    await using client = await MsgpackClient.connect(home.url);
    const reply = await client.call([]);
    if (reply !== "closed") expect(reply).toMatchObject({ error: { code: expect.any(String) } });
    await unharmed(home, client.raw.frames);
  });

  test("a hundred and fifty thousand arguments end a connection whose frames are limited to 25,000 bytes, and harm nobody else", async () => {
    // With a parser of its own a server has to limit its frames: nothing can be put between such a parser and Socket.IO.
    await using home = await Contestant.start(script, { PARSER: "msgpack", MAX_BYTES: "25000" });
    await using client = await MsgpackClient.connect(home.url);
    expect(await client.call(["honest", 41, ...Array.from({ length: 150_000 }, () => 0)])).toBe("closed");
    await unharmed(home, client.raw.frames);
  });

  test("as many arguments as fit into 25,000 bytes are no trouble", async () => {
    await using home = await Contestant.start(script, { PARSER: "msgpack", MAX_BYTES: "25000" });
    await using client = await MsgpackClient.connect(home.url);
    expect(await client.call(["honest", 41, ...Array.from({ length: 24_900 }, () => 0)])).toEqual({ ok: 42 });
    await unharmed(home, client.raw.frames);
  });

  test("a negative id is answered with that id", async () => {
    const home = await server();
    await using client = await MsgpackClient.connect(home.url);
    expect(await client.call(["honest", 41], -7)).toEqual({ ok: 42 });
    await unharmed(home, client.raw.frames);
  });

  test.each([
    ["a reply MessagePack can't encode because it is circular", "fault:return-circular"],
    ["a reply that is a BigInt", "fault:return-bigint"],
    ["a reply with a throwing getter", "fault:return-getter"],
    ["a reply that is 20,000 deep", "fault:return-deep-object"],
    ["a reply that is a revoked proxy", "fault:return-revoked"],
    ["a reply that is a hostile proxy", "fault:return-hostile"],
    ["a reply whose toJSON throws", "fault:return-to-json-throws"],
    ["a refusal with circular details", "fault:refuse-circular"],
  ])("%s is answered once all the same", async (_what, event) => {
    const home = await server();
    await using client = await MsgpackClient.connect(home.url);
    const reply = await client.call([event, null]);
    expect(reply).not.toBe("closed");
    expect(client.packets.filter(({ type }) => type === 3)).toHaveLength(1);
    await unharmed(home, client.raw.frames);
  });

  test.each([
    ["a packet that is no object", 7],
    ["a packet that is null", null],
    ["a packet of an unknown type", { type: 9, nsp: "/", data: [] }],
    ["a namespace that is no string", { type: 2, nsp: 5, data: ["honest"] }],
    ["an id that is an object", { type: 2, nsp: "/", id: {}, data: ["honest", 1] }],
    ["data that is no array", { type: 2, nsp: "/", id: 1, data: { 0: "honest", length: 1 } }],
    ["a CONNECT_ERROR", { type: 4, nsp: "/", data: "no" }],
    ["an acknowledgement nobody asked for", { type: 3, nsp: "/", id: 99, data: ["x"] }],
    [
      "an acknowledgement of 150,000 arguments",
      { type: 3, nsp: "/", id: 0, data: Array.from({ length: 150_000 }, () => 0) },
    ],
  ])("%s harms nobody else", async (_what, packet) => {
    const home = await server();
    await using client = await MsgpackClient.connect(home.url);
    client.send(packet);
    await unharmed(home, client.raw.frames);
  });
});
