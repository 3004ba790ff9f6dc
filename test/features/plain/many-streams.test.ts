import { get, type IncomingMessage } from "node:http";
import { getActiveResourcesInfo } from "node:process";
import { expect, it, vi } from "vitest";
import { openPlain } from "./plain-door.js";

const timers = (): number => getActiveResourcesInfo().filter((name) => name === "Timeout").length;

/** Opens a stream and hears nothing of it. */
function open(url: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get(url, { agent: false }, (response) => {
      response.on("error", () => undefined);
      response.resume();
      resolve(response);
    }).on("error", reject);
  });
}

it("1,000 streams opened and cut leave no socket, room, timer", async () => {
  await using plain = await openPlain({ heartbeatMs: 60_000 });
  const { io, httpServer } = plain.door.served;
  const { adapter } = io.of("/");
  const before = { rooms: adapter.rooms.size, listeners: io.engine.listenerCount("connection"), timers: timers() };
  for (let batch = 0; batch < 10; batch++) {
    const streams = await Promise.all(
      Array.from({ length: 100 }, (_, i) => open(`${plain.url}/events?user=u${i % 7}&topic=author&topic=hall`)),
    );
    expect(io.sockets.sockets.size).toBe(100);
    for (const stream of streams) stream.destroy();
    await plain.sockets(0);
  }
  await vi.waitFor(() => expect(adapter.rooms.size).toBe(before.rooms));
  expect(adapter.sids.size).toBe(0);
  expect(io.engine.listenerCount("connection")).toBe(before.listeners);
  await vi.waitFor(() => expect(timers()).toBeLessThanOrEqual(before.timers));
  const connections = (): Promise<number> =>
    new Promise((resolve, reject) =>
      httpServer.getConnections((error, count) => (error ? reject(error) : resolve(count))),
    );
  await vi.waitFor(async () => expect(await connections()).toBe(0));
  expect(plain.door.realtime.list("hall")).toEqual([]);
  // Nobody counts any more.
  await using next = await plain.stream("?user=u1");
  expect(next.status).toBe(200);
}, 60_000);
