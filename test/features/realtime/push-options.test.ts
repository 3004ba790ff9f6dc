import { describe, expect, it } from "vitest";
import { createClient } from "socket-ingress/client";
import { topic, user } from "socket-ingress/realtime";
import { RawPolling } from "../../fixtures/raw-polling.js";
import { type Door, open } from "./door.js";

const isPublic = {
  before: (_manager: unknown, realtime: Door["realtime"]) => void realtime.topics.define("t:{id}", { public: true }),
};

/** The events among what a polling client was sent, each with its arguments. */
function eventsOf(client: RawPolling): unknown[][] {
  return client.packets
    .filter((packet) => packet.startsWith("42"))
    .map((packet) => JSON.parse(packet.replace(/^42\d*/, "")) as unknown[]);
}

/** A client that is behind: nothing can be written to it while it does not poll. */
async function slowReader(door: Door): Promise<RawPolling> {
  const client = await RawPolling.open(door.served.url);
  await client.post(['40{"user":"ann"}']);
  await client.poll();
  return client;
}

describe("latest", () => {
  it("a newer push of the key takes the place of the one that waits, while the client is behind", async () => {
    await using door = await open();
    const client = await slowReader(door);
    for (let bid = 1; bid <= 50; bid++) {
      await door.realtime.emitSocket("price", { symbol: "EURUSD", bid }, user("ann"), { latest: "EURUSD" });
      await door.realtime.emitSocket("price", { symbol: "USDJPY", bid }, user("ann"), { latest: "USDJPY" });
      await door.realtime.emitSocket("depth", bid, user("ann"), { latest: "EURUSD" });
    }
    while (eventsOf(client).length < 3) await client.poll();
    expect(eventsOf(client)).toEqual([
      ["price", { symbol: "EURUSD", bid: 50 }],
      ["price", { symbol: "USDJPY", bid: 50 }],
      ["depth", 50],
    ]);
  });

  it("whoever is not behind has every push, at once", async () => {
    await using door = await open();
    const client = await door.enter({ user: "ann" });
    for (let n = 1; n <= 5; n++) {
      await door.realtime.emitSocket("n", n, user("ann"), { latest: "n" });
      expect(await client.next("n")).toBe(n);
    }
  });

  it("the last of one turn always arrives", async () => {
    await using door = await open();
    const client = await door.enter({ user: "ann" });
    for (let n = 1; n <= 20; n++) void door.realtime.emitSocket("n", n, user("ann"), { latest: "n" });
    await expect.poll(() => client.got("n").at(-1)).toBe(20);
    expect(client.got("n")).toEqual([...new Set(client.got("n"))].sort((a, b) => Number(a) - Number(b)));
  });

  it("is counted as any push, those that wait included", async () => {
    await using door = await open();
    await slowReader(door);
    await door.enter({ user: "ann" });
    expect(await door.realtime.emitSocket("n", 1, user("ann"), { latest: "n", count: true })).toEqual({
      sockets: 2,
      nodes: 1,
      complete: true,
    });
  });

  it("what waits does not arrive any more where it is no longer for that socket", async () => {
    await using door = await open();
    const client = await slowReader(door);
    const [socket] = door.served.io.of("/").sockets.values();
    await door.realtime.emitSocket("secret", 1, user("ann"), { latest: "secret" });
    await door.realtime.setUser(socket!, "bob");
    await door.realtime.emitSocket("mine", 2, user("bob"), { latest: "mine" });
    await client.poll();
    expect(eventsOf(client)).toEqual([["mine", 2]]);
  });

  it("at most 100 keys wait for one connection; what is beyond is sent as any other push", async () => {
    await using door = await open();
    const client = await slowReader(door);
    for (let key = 0; key < 103; key++) {
      for (const n of [1, 2]) await door.realtime.emitSocket("k", [key, n], user("ann"), { latest: String(key) });
    }
    while (eventsOf(client).length < 106) await client.poll();
    const got = eventsOf(client).map(([, pair]) => pair as [number, number]);
    for (let key = 0; key < 103; key++)
      expect(got.filter(([of]) => of === key).map(([, n]) => n)).toEqual(key < 100 ? [2] : [1, 2]);
  });
});

describe("receipts", () => {
  it("tell how many of the sockets said that it arrived: those with the client door do, before their listeners run", async () => {
    await using door = await open();
    const [one, two, plain] = [
      await door.enter({ user: "ann" }),
      await door.enter({ user: "ann" }),
      await door.enter({ user: "ann" }),
    ];
    const heard: unknown[] = [];
    for (const { socket } of [one, two]) createClient(socket).on("alert", (text: string) => void heard.push(text));
    const told = door.realtime.emitSocket("alert", "fire", user("ann"), { receipts: { timeoutMs: 1_500 } });
    expect(await told).toEqual({ sockets: 3, nodes: 1, complete: true, received: 2 });
    expect(heard).toEqual(["fire", "fire"]);
    expect(plain.got("alert")).toEqual(["fire"]);
    expect(
      await door.realtime.sendTo(user("ann"), "hello", { event: "alert", receipts: { timeoutMs: 1_500 } }),
    ).toMatchObject({ received: 2 });
  });

  it("whoever is gone, or reads nothing, has not received", async () => {
    await using door = await open();
    const client = await slowReader(door);
    const receipts = { timeoutMs: 50 };
    expect(await door.realtime.emitSocket("alert", 1, user("ann"), { receipts })).toEqual({
      sockets: 1,
      nodes: 1,
      complete: true,
      received: 0,
    });
    expect(await door.realtime.emitSocket("alert", 1, user("bob"), { receipts })).toEqual({
      sockets: 0,
      nodes: 0,
      complete: true,
      received: 0,
    });
    await client.poll();
    expect(eventsOf(client)[0]).toEqual(["alert", 1]);
  });

  it("of many pushes at once put no listener on a socket, and none is waited for that goes", async () => {
    await using door = await open();
    const { socket } = await door.enter({ user: "ann" });
    createClient(socket);
    const [server] = door.served.io.of("/").sockets.values();
    const before = server!.listenerCount("disconnect");
    const push = (timeoutMs: number) =>
      Array.from({ length: 30 }, (_, i) =>
        door.realtime.emitSocket("alert", i, user("ann"), { receipts: { timeoutMs } }),
      );
    const told = push(5_000);
    expect(server!.listenerCount("disconnect")).toBe(before);
    expect((await Promise.all(told)).every(({ received }) => received === 1)).toBe(true);
    socket.off("ingress:received");
    const untold = push(60_000);
    socket.disconnect();
    expect((await Promise.all(untold)).every(({ received }) => received === 0)).toBe(true);
  });

  it("cost whoever has answered before one packet: the event comes inside the question, and all its listeners hear it", async () => {
    await using door = await open();
    const { socket } = await door.enter({ user: "ann" });
    const names: string[] = [];
    socket.onAny((name: string) => names.push(name));
    const heard: unknown[] = [];
    createClient(socket).on("alert", (...args: unknown[]) => heard.push(["client", ...args]));
    socket.on("alert", (...args: unknown[]) => heard.push(["socket", ...args]));
    socket.once("alert", (...args: unknown[]) => heard.push(["once", ...args]));
    const bytes = new Uint8Array([1, 2]);
    for (const data of [1, { bytes }, undefined])
      expect(
        await door.realtime.emitSocket("alert", data, user("ann"), { receipts: { timeoutMs: 5_000 } }),
      ).toMatchObject({ sockets: 1, received: 1 });
    expect(names).toEqual(["alert", "ingress:received", "ingress:received", "ingress:received"]);
    expect(heard).toHaveLength(7);
    expect(heard.slice(0, 3)).toEqual([
      ["client", 1],
      ["socket", 1],
      ["once", 1],
    ]);
    expect(heard[3]).toEqual(["client", { bytes: Buffer.from(bytes) }]);
    expect(heard.slice(5)).toEqual([["client"], ["socket"]]);
  });

  it("are asked no more of a socket that left ten questions unanswered, until it answers one", async () => {
    await using door = await open();
    const client = await door.enter({ user: "ann" });
    const questions: (() => void)[] = [];
    client.socket.on("ingress:received", (answer: () => void) => questions.push(answer));
    const push = async (timeoutMs: number) => {
      const { sockets, received } = await door.realtime.emitSocket("alert", 1, user("ann"), {
        receipts: { timeoutMs },
      });
      return [sockets, received];
    };
    for (let i = 0; i < 12; i++) expect(await push(1)).toEqual([1, 0]);
    await client.caughtUp();
    expect([questions.length, client.got("alert").length]).toEqual([10, 12]);
    questions[0]!();
    await client.caughtUp();
    client.socket
      .off("ingress:received")
      .on("ingress:received", (...frame: unknown[]) => (frame.at(-1) as () => void)());
    expect(await push(5_000)).toEqual([1, 1]);
  });

  it("of a push that can't be sent, or before there is a server, nobody has received", async () => {
    await using door = await open();
    expect(await door.realtime.emitSocket("alert", 10n, user("ann"), { receipts: {} })).toMatchObject({ received: 0 });
    await door.realtime.teardown();
    expect(await door.realtime.emitSocket("alert", 1, user("ann"), { receipts: {} })).toEqual({
      sockets: 0,
      nodes: 0,
      complete: true,
      received: 0,
    });
  });
});

describe("options that don't fit are a TypeError at once", () => {
  it.each([
    [{ latest: "" }, "latest must be a non-empty string"],
    [{ latest: 5 }, "latest must be a non-empty string, got 5"],
    [{ receipts: true }, "receipts must be { timeoutMs }, got true"],
    [{ receipts: { timeoutMs: 0 } }, "receipts.timeoutMs must be milliseconds above 0, got 0"],
    [{ receipts: { timeoutMs: "1" } }, 'got "1"'],
    [{ latest: "a", volatile: true }, "latest and volatile can't be had together"],
    [{ receipts: {}, volatile: true }, "receipts and volatile"],
    [{ receipts: {}, latest: "a" }, "receipts and latest"],
  ])("%j", async (options, message) => {
    await using door = await open();
    expect(() => door.realtime.emitSocket("e", 1, user("ann"), options as never)).toThrow(TypeError);
    expect(() => door.realtime.emitSocket("e", 1, user("ann"), options as never)).toThrow(message);
  });

  it.each([{ latest: "a" }, { receipts: {} }])("%j, to a topic with a history", async (options) => {
    await using door = await open({
      before: (_manager, realtime) => void realtime.topics.define("h:{id}", { public: true, history: { keep: 10 } }),
    });
    expect(() => door.realtime.emitSocket("e", 1, topic("h:1"), options as never)).toThrow(
      /"h:1", which has a history, can't be kept/,
    );
  });
});

it("both reach the members of a topic", async () => {
  await using door = await open(isPublic);
  const client = await door.enter();
  await client.join("t:1");
  await door.realtime.emitSocket("n", 1, topic("t:1"), { latest: "n" });
  expect(await client.next("n")).toBe(1);
});
