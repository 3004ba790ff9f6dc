import { createClient, type EventFailure } from "socket-ingress/client";
import { expect, it, vi } from "vitest";
import { FakeSocket, settled } from "./fixtures/fake-socket.js";
import { recordingLogger } from "./fixtures/recorder.js";

it("what may be dropped is dropped without a connection, and sent as such where the socket can", () => {
  const socket = new FakeSocket();
  const dropped: unknown[] = [];
  Object.assign(socket, { volatile: { emit: (...frame: unknown[]) => dropped.push(frame) } });
  const client = createClient(socket);
  client.send("at", 1, { volatile: true });
  socket.connect();
  client.send("at", 2, { volatile: true });
  expect([socket.frames(), dropped]).toEqual([[], [["at", 2]]]);
});

it("an event that a socket does not take is a warning, unless the client is closed", async () => {
  const socket = FakeSocket.connected();
  const logger = recordingLogger();
  const client = createClient(socket, { logger });
  vi.spyOn(socket, "emit").mockImplementation(() => {
    throw new Error("reserved");
  });
  client.send("connect_error");
  await settled();
  expect(logger.lines).toEqual(['warn: socket-ingress: "connect_error" was not sent Error: reserved']);
  client.send("connect_error");
  client.close();
  await settled();
  expect(logger.lines.length).toBe(1);
});

it("a socket that does not tell its listeners has pushes of topics with a history heard by `client.on`", async () => {
  const socket = FakeSocket.connected();
  Object.assign(socket, { listeners: undefined });
  const client = createClient(socket);
  const heard = vi.fn();
  client.on("news", heard);
  const joining = client.joinTopic("t");
  await settled();
  socket.push("ingress:at", ["epoch", 1], ["t"], []);
  socket.takeOne().reply(undefined);
  await joining;
  socket.push("ingress:at", 2, "news", "first");
  expect(heard.mock.calls).toEqual([["first"]]);
});

it("a connection that lasted is tried again as soon as the first that was lost", async () => {
  vi.useFakeTimers();
  const socket = FakeSocket.connected();
  const connect = vi.spyOn(socket, "connect");
  const client = createClient(socket);
  const ended = vi.fn<(failure: EventFailure) => void>();
  client.onEnded(ended);
  const endIt = (): void => {
    socket.push("ingress:ended", { code: "OVERLOADED", message: "full", retryAfterMs: 0 });
    socket.drop("io server disconnect");
  };
  const waits: number[] = [];
  for (const lastsMs of [0, 0, 0, 60_000]) {
    await vi.advanceTimersByTimeAsync(lastsMs);
    const before = connect.mock.calls.length;
    endIt();
    let waited = 0;
    while (connect.mock.calls.length === before) {
      await vi.advanceTimersByTimeAsync(10);
      waited += 10;
    }
    waits.push(waited);
  }
  vi.useRealTimers();
  expect(ended).toHaveBeenCalledTimes(4);
  expect(waits[2]).toBeGreaterThan(waits[0]! * 1.5);
  expect(waits[3]).toBeLessThan(waits[2]!);
});

it("a refetch that is under way when a connection comes back with all that it had goes on", async () => {
  const socket = FakeSocket.connected();
  const seen: unknown[] = [];
  createClient(socket).refetchOnSocket(
    "items_changed",
    () => new Promise((resolve) => setTimeout(() => resolve("fresh"), 5)),
    (items) => seen.push(items),
  );
  socket.push("items_changed");
  socket.drop();
  socket.connect({ recovered: true });
  await vi.waitFor(() => expect(seen).toEqual(["fresh"]));
});
