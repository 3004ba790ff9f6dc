import * as msgpack from "socket.io-msgpack-parser";
import { describe, expect, it } from "vitest";
import { topic, user } from "socket-ingress/realtime";
import { codeOf, serveIngress } from "../fixtures/ingress.js";
import { type Client, type Door, open } from "../features/realtime/door.js";
import { defaultParser } from "../../src/testing/socket-io-parts.js";

// What Socket.IO encodes and a client's decoder refuses: its connection ended with `parse error`, without a line in the log, and of a
// push everybody's did. Replies are held over all transports by `test/promises/parity`.

const file = Buffer.from("a file");
const undecodable: Record<string, () => unknown> = {
  "a Blob": () => ({ photo: new Blob(["x"]) }),
  "eleven attachments": () => Array.from({ length: 11 }, () => file),
  "a forged placeholder": () => ({ toJSON: () => ({ file, note: { _placeholder: true, num: 7 } }) }),
};

const errors = ({ log }: Door): (string | undefined)[] =>
  log.lines.filter(({ level }) => level === "error").map(({ message }) => message);

describe.each(Object.entries(undecodable))("%s", (_name, data) => {
  const roads: Record<string, (door: Door, client: Client) => Promise<unknown>> = {
    emitSocket: ({ realtime }) => realtime.emitSocket("x", data()),
    "emitSocket to this node": ({ realtime }) => realtime.emitSocket("x", data(), { topic: "t" }, { local: true }),
    "emitSocket to an intersection": ({ realtime }) => realtime.emitSocket("x", data(), { user: "ada", topic: "t" }),
    "emitSocket to a topic with history": ({ realtime }) => realtime.emitSocket("x", data(), topic("kept")),
    emitSocketRefetch: ({ realtime }) => realtime.emitSocketRefetch("get", { event: "x", payload: data() } as never),
    sendTo: ({ realtime }) => realtime.sendTo(user("ada"), data()),
  };

  it.each(Object.entries(roads))("is not pushed by %s, and logged", async (_road, push) => {
    await using door = await open();
    door.realtime.topics.define("t", { public: true });
    const client = await door.enter({ user: "ada" });
    await client.join("t");
    await push(door, client);
    await client.caughtUp();
    expect(client.events).toEqual([]);
    expect(errors(door)).toEqual(["a push could not be sent"]);
  });

  it("is no snapshot: the join is refused and logged, and the others of the call are answered", async () => {
    await using door = await open();
    door.realtime.topics.define("bad", { public: true, snapshot: data });
    door.realtime.topics.define("good", { public: true, snapshot: () => 1 });
    const client = await door.enter();
    expect(codeOf(await client.join("bad"))).toBe("INTERNAL");
    expect(await client.join("good")).toEqual({ snapshot: 1 });
    expect(errors(door)).toHaveLength(1);
  });

  it("is no presence info: who has it is refused, and the others of the topic are told of each other", async () => {
    await using door = await open();
    door.realtime.topics.define("t", {
      public: true,
      presence: ({ user: who }) => (who === "bad" ? data() : { name: who }),
    });
    const client = await door.enter({ user: "ada" });
    await client.join("t");
    expect(codeOf(await (await door.enter({ user: "bad" })).join("t"))).toBe("INTERNAL");
    const bob = await door.enter({ user: "bob" });
    expect((await bob.join("t")).presence).toMatchObject({ state: [{ user: "ada" }, { user: "bob" }] });
    await client.caughtUp();
    expect(client.socket.connected).toBe(true);
    expect(errors(door)).toHaveLength(1);
  });

  it("is no answer of a repeated call: each asker is answered INTERNAL", async () => {
    await using door = await open();
    door.ingress.subscribe("pay", () => data());
    const client = await door.enter({ user: "ada" });
    expect(codeOf(await client.call("r1", "pay"))).toBe("INTERNAL");
    expect(codeOf(await client.call("r1", "pay"))).toBe("INTERNAL");
    expect(client.socket.connected).toBe(true);
  });
});

it("presence info with binary data is refused: as many as a list has members are more than a client takes", async () => {
  await using door = await open();
  door.realtime.topics.define("t", { public: true, presence: () => ({ face: file }) });
  expect(codeOf(await (await door.enter({ user: "ada" })).join("t"))).toBe("INTERNAL");
});

describe("with a parser of the application's own", () => {
  it("what its decoder takes is sent: MessagePack has no attachments", async () => {
    await using app = await serveIngress({}, { parser: msgpack });
    const client = await app.connect({ parser: msgpack });
    const value = { files: Array.from({ length: 11 }, () => file), note: { _placeholder: true, num: 7 } };
    app.ingress.subscribe("x", () => value);
    expect(await client.emitWithAck("x")).toEqual(value);
    app.ingress.subscribe("blob", () => ({ photo: new Blob(["x"]) }));
    expect(codeOf(await client.emitWithAck("blob"))).toBe("INTERNAL");
  });

  it("its decoder is asked how many attachments it takes", async () => {
    const ofSocketIo = defaultParser();
    class Decoder extends ofSocketIo.Decoder {
      constructor() {
        super({ maxAttachments: 20 });
      }
    }
    const parser = { ...ofSocketIo, Decoder };
    await using app = await serveIngress({}, { parser });
    const client = await app.connect({ parser });
    app.ingress.subscribe("x", (_context, n: number) => Array.from({ length: n }, () => file));
    app.ingress.subscribe("forged", () => [file, { _placeholder: true, num: 7 }]);
    expect(await client.emitWithAck("x", 20)).toHaveLength(20);
    expect(codeOf(await client.emitWithAck("x", 21))).toBe("INTERNAL");
    expect(codeOf(await client.emitWithAck("forged"))).toBe("INTERNAL");
    expect(client.connected).toBe(true);
  });
});

it("a value whose toJSON gives something with a toJSON is sent, as Socket.IO alone sends it", async () => {
  class Row {
    readonly a = 1;
    toJSON(): this {
      return this;
    }
  }
  await using app = await serveIngress();
  app.ingress.subscribe("row", () => new Row());
  expect(await (await app.connect()).emitWithAck("row")).toEqual({ a: 1 });
});
