import { recoverAfterAsking } from "socket-ingress";
import { createClient } from "socket-ingress/client";
import { expect, describe, it, vi } from "vitest";
import { open, type Door } from "../features/realtime/door.js";
import { readPositions } from "../features/realtime/position-reader.js";

const history = { keep: 500, maxAgeMs: 600_000 };
const fast = { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 30 };

const openWith = (more: object): Promise<Door> =>
  open({
    server: { connectionStateRecovery: { skipMiddlewares: false }, ...more },
    before: (_manager, realtime) => {
      for (const name of ["a", "b", "c"]) realtime.topics.define(name, { public: true, history });
    },
  });

describe.each([
  ["by itself", () => ({})],
  ["by recoverAfterAsking", () => ({ adapter: recoverAfterAsking() })],
])("a client of topics with history whose connection Socket.IO recovers %s", (_how, more) => {
  it("is given what was pushed while nobody was in one of its topics", async () => {
    await using d = await openWith(more());
    const [one, byHand, other] = [await d.enter(), await d.enter(), await d.enter()];
    const client = createClient<any>(one.socket);
    const reader = readPositions(byHand.socket);
    const heard: unknown[] = [];
    const onGap = vi.fn<() => void>();
    client.on("p", (value: unknown) => heard.push(value));
    await client.joinTopic("a", { onGap });
    await client.joinTopic("b", { onGap });
    await reader.join("a", "b");
    await readPositions(other.socket).join("b");
    await d.realtime.emitSocket("p", 1, { topic: "a" });
    await vi.waitFor(() => expect([heard, reader.got]).toEqual([[1], [1]]));
    // They come back when they are told to, and not before the server has seen that they are gone.
    for (const { socket } of [one, byHand]) socket.io.engine.close();
    await vi.waitFor(() => expect(d.served.io.of("/").sockets.size).toBe(1));
    await d.realtime.emitSocket("p", 2, { topic: "a" });
    await d.realtime.emitSocket("p", 3, { topic: "b" });
    for (const { socket } of [one, byHand]) socket.connect();
    await vi.waitFor(() => expect([one.socket.recovered, byHand.socket.recovered]).toEqual([true, true]));
    await d.realtime.emitSocket("p", 4, { topic: "a" });
    await vi.waitFor(() =>
      expect([heard, reader.got]).toEqual([
        [1, 2, 3, 4],
        [1, 2, 3, 4],
      ]),
    );
    expect([onGap.mock.calls, reader.gaps]).toEqual([[], []]);
    client.close();
  });

  it("goes on reading positions when its line drops again before it has joined again", async () => {
    await using d = await openWith(more());
    const { socket } = await d.enter({}, fast);
    const client = createClient<any>(socket);
    const heard: unknown[] = [];
    const recoveries: unknown[] = [];
    client.on("p", (value: unknown) => heard.push(value));
    await client.joinTopic("a");
    let n = 0;
    const push = (): Promise<unknown> => d.realtime.emitSocket("p", ++n, { topic: "a" });
    await push();
    await vi.waitFor(() => expect(heard).toEqual([1]));
    socket.on("connect", () => recoveries.push(socket.recovered));
    // By the server, so that it has lost the first recovered connection before anything comes from that.
    let times = 0;
    d.served.io.on("connection", ({ recovered, conn }) => {
      if (recovered && ++times === 1) setImmediate(() => conn.close());
    });
    socket.io.engine.close();
    for (let pushed = 0; pushed < 5; pushed++) await push();
    await vi.waitFor(() => expect(recoveries).toEqual([true, true]));
    await push();
    await vi.waitFor(() => expect(heard).toHaveLength(n));
    socket.io.engine.close();
    await push();
    await vi.waitFor(() => expect(recoveries).toHaveLength(3));
    await push();
    await vi.waitFor(() => expect(heard).toEqual(Array.from({ length: n }, (_, i) => i + 1)));
    client.close();
  });

  it.each([1, 2])("has every push once and in order, wherever its line drops (seed %i)", async (seed) => {
    let x = (seed * 2_654_435_761) >>> 0;
    const random = (below: number): number => (x = (x * 1_664_525 + 1_013_904_223) >>> 0) % below;
    await using d = await openWith(more());
    const names = ["a", "b", "c"];
    const clients = await Promise.all(
      names.map(async () => {
        const { socket } = await d.enter({}, { ...fast, reconnectionDelay: 5, reconnectionDelayMax: 10 });
        const client = createClient<any>(socket);
        const heard: unknown[] = [];
        const onGap = vi.fn<() => void>();
        client.on("p", (value: unknown) => heard.push(value));
        for (const name of names) await client.joinTopic(name, { onGap });
        return { socket, client, heard, onGap };
      }),
    );
    let n = 0;
    for (; n < 150; n++) {
      await d.realtime.emitSocket("p", n, { topics: names.slice(random(3)) });
      const dropped = clients[random(25)];
      if (dropped?.socket.connected) dropped.socket.io.engine.close();
      if (random(2) === 0) await new Promise((resolve) => setTimeout(resolve, random(4)));
    }
    for (const { client, heard, onGap } of clients) {
      await vi.waitFor(() => expect(heard).toEqual(Array.from({ length: n }, (_, i) => i)));
      expect(onGap).not.toHaveBeenCalled();
      client.close();
    }
  });
});
