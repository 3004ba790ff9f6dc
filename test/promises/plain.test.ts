import { expect, it, vi } from "vitest";
import { EventError } from "socket-ingress";
import { user } from "socket-ingress/realtime";
import { failureOf } from "../features/plain/event-reader.js";
import { envelope, openPlain } from "../features/plain/plain-door.js";

// The parity suite runs pushes, topics, presence, revocation and drain over plain clients as over all others.

it("31. What holds for a socket holds for a plain client. One that does not read is cut at its limit and costs no other client anything.", async () => {
  await using plain = await openPlain({ maxBufferedBytes: 200_000 });
  const { realtime, ingress, served, log } = plain.door;
  const seen: unknown[] = [];
  served.io.use((socket, next) => {
    seen.push(["middleware", socket.handshake.auth["user"]]);
    next(socket.handshake.query["late"] === undefined ? undefined : new Error("too late"));
  });
  ingress.subscribe("connection", ({ socket }) => void seen.push(["connection", realtime.identify(socket).user]));
  ingress.subscribe("disconnect", (_context, reason) => void seen.push(["disconnect", reason]));
  ingress.subscribe("say", ({ socket }, text) => {
    if (text === "no") throw new EventError("CONFLICT", "not that");
    return { text, by: realtime.identify(socket).user };
  });

  const stream = await plain.stream("?user=ada&topic=author&topic=hall");
  await using socket = await plain.socket("?user=grace&topic=author&topic=hall");
  expect(await socket.ask({ event: "say", data: "hi" })).toEqual({ id: "q1", data: { text: "hi", by: "grace" } });
  expect(await socket.ask({ event: "say", data: "no" })).toMatchObject({ id: "q2", error: { code: "CONFLICT" } });
  expect(await failureOf(`${plain.url}/events?late=1`)).toMatchObject({ status: 403 });
  expect(await realtime.count({ topic: "author" })).toMatchObject({ sockets: 2, complete: true });
  expect(await realtime.count(user("ada"))).toMatchObject({ sockets: 1 });
  await vi.waitFor(() =>
    expect(
      realtime
        .list("hall")
        .map((one) => one.user)
        .sort(),
    ).toEqual(["ada", "grace"]),
  );
  await plain.change(1);
  await Promise.all([
    stream.until(() => stream.got("change").length === 1),
    socket.until(() => socket.frames.length === 3),
  ]);
  expect([stream.got("change")[0], socket.frames[2]]).toEqual([envelope(1), envelope(1)]);

  // From here on one of them does not read.
  stream.pause();
  const filling = "x".repeat(50_000);
  let n = 0;
  while (served.io.sockets.sockets.size === 2) {
    await realtime.emitSocket("change", { id: `large ${++n}`, filling }, { topic: "author" });
    await socket.until(() => socket.frames.some(({ id }) => id === `large ${n}`));
    for (const one of served.io.sockets.sockets.values())
      expect(ingress.bufferedBytes(one)).toBeLessThanOrEqual(200_000);
  }
  expect(await socket.ask({ event: "say", data: "still here" })).toMatchObject({ data: { text: "still here" } });
  expect(log.lines.filter(({ message }) => message?.includes("was cut"))).not.toEqual([]);
  await vi.waitFor(() => expect(realtime.list("hall").map((one) => one.user)).toEqual(["grace"]));
  expect(seen).toContainEqual(["disconnect", "transport error"]);
  expect(seen.filter(([what]: any) => what !== "disconnect")).toEqual([
    ["middleware", "ada"],
    ["connection", "ada"],
    ["middleware", "grace"],
    ["connection", "grace"],
    ["middleware", undefined],
  ]);
  stream.close();
}, 60_000);
