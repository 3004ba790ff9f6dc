import type { EventEmitter } from "node:events";
import type { Server } from "socket.io";
import { expect, it, vi } from "vitest";
import { ServiceManager } from "socket-ingress";
import { Limits } from "socket-ingress/limits";
import { Realtime } from "socket-ingress/realtime";
import { fakeServer } from "socket-ingress/testing";
import { Refused } from "../../../src/events/refused.js";
import { Budgets } from "../../../src/features/limits/budgets.js";
import { LimitedNews } from "../../../src/features/limits/limited.js";
import { readRate } from "../../../src/features/limits/rate-options.js";
import { Rate } from "../../../src/features/limits/rate.js";
import { codeOf } from "../../fixtures/ingress.js";
import { recordingLog } from "../../fixtures/recording-log.js";
import { openLimited, say, saying } from "./stage.js";

it("13. without a store a limited event makes no promise", () => {
  const log = recordingLog();
  const checked = readRate({ name: "talk", events: ["say"], points: 1, durationMs: 1_000 }, false);
  const socket = { conn: {}, handshake: { address: "192.0.2.1", headers: {} } };
  const rate = new Rate(
    checked,
    new Budgets(undefined, 0, () => log),
    new LimitedNews(undefined, () => log),
    () => log,
  );
  const arrival = { event: "say", args: [], socket, requestId: undefined, log } as never;
  expect(rate.ask(arrival, 0)).toBeUndefined();
  const refused = rate.ask(arrival, 0);
  expect(refused).toBeInstanceOf(Refused);
  // One for all of the same moment.
  expect(rate.ask(arrival, 0)).toBe(refused);
  expect(rate.ask(arrival, 1)).not.toBe(refused);
});

it("windows that are over are forgotten", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
  await using io = fakeServer();
  const realtime = new Realtime({ user: ({ data }) => (data as { user?: string }).user });
  const limits = new Limits({ realtime });
  limits.rate({ name: "talk", events: "all", points: 5, durationMs: 1_000 });
  const manager = new ServiceManager(io as Server, { logger: recordingLog() }).registerHandler(realtime);
  await manager.registerHandler(limits).boot();
  for (const user of ["ann", "bob"]) {
    const client = await io.connect({ data: { user } });
    expect(codeOf(await client.receive("nobody's"))).toBe("UNKNOWN_EVENT");
  }
  const keys = (): number | undefined => limits.counters().rates["talk"]?.keys;
  expect(keys()).toBe(2);
  vi.advanceTimersByTime(9_500);
  await (await io.connect({ data: { user: "cid" } })).receive("nobody's");
  vi.advanceTimersByTime(500);
  expect(keys()).toBe(1);
  vi.advanceTimersByTime(10_000);
  expect(keys()).toBe(0);
  await manager.shutdown();
  vi.useRealTimers();
});

it("after a teardown no listener of it is left, on whatever it was", async () => {
  await using stage = await openLimited(() => undefined);
  const ann = await stage.enter({ user: "ann" });
  const socket = stage.served.serverSide(ann.socket);
  const { io } = stage.served;
  const emitters = [socket, socket.conn, io.engine, io.of("/"), io] as unknown as EventEmitter[];
  const listeners = (): number[] =>
    emitters.map((one) => one.eventNames().reduce((sum, name) => sum + one.listenerCount(name), 0));
  await say(ann.socket); // which leaves the dispatcher of its event
  const before = listeners();
  stage.limits.rate({ name: "talk", events: ["say"], points: 1, durationMs: 60_000 });
  stage.limits.connections({ max: 9, perUser: 9, perIp: 9, idleMs: 60_000, joinWithinMs: 60_000 });
  stage.limits.slowConsumers();
  expect(await saying(ann.socket, 2)).toBe(1);
  await stage.limits.teardown();
  expect(listeners()).toEqual(before);
  expect(stage.limits.counters().connections.open).toBe(0);
  // And set up again, all of it is there again.
  await stage.limits.setup();
  expect(await say(ann.socket)).toMatchObject({ code: "RATE_LIMITED" });
  expect(stage.limits.counters().connections.open).toBe(1);
  await stage.limits.teardown();
  expect(listeners()).toEqual(before);
});

it("what is recommended serves who asks within reason, and counts by address where proxies are told of", async () => {
  for (const trustProxy of [undefined, 0]) {
    let limits: Limits | undefined;
    await using stage = await openLimited(() => undefined, {
      before: (manager, realtime) => {
        limits = Limits.recommended({ realtime, ...(trustProxy !== undefined && { trustProxy }) });
        manager.registerHandler(Object.assign(limits, { name: "recommended" }));
      },
    });
    const clients = await Promise.all([1, 2, 3].map(() => stage.enter({ user: "ann" })));
    for (const { socket } of clients) expect(await saying(socket, 50)).toBe(50);
    const counters = limits?.counters();
    expect(Object.keys(counters?.rates ?? {})).toEqual([
      "each connection",
      "each user",
      ...(trustProxy === undefined ? [] : ["each address"]),
    ]);
    expect(counters).toMatchObject({
      rates: { "each connection": { refused: 0, keys: 3 }, "each user": { refused: 0, keys: 1 } },
      connections: { open: 3, refusedUser: 0 },
      slowConsumers: { ended: 0 },
    });
    // What is declared on top replaces it.
    limits?.connections({ max: 3 });
    await expect(stage.enter()).rejects.toThrow("this server is full");
  }
  expect(Object.keys(Limits.recommended().counters().rates)).toEqual(["each connection"]);
});

it("what slow consumers cost is counted also where the realtime door comes behind the limits", async () => {
  await using io = fakeServer();
  const realtime = new Realtime();
  const limits = new Limits({ realtime });
  limits.slowConsumers();
  const manager = new ServiceManager(io as Server, { logger: recordingLog() }).registerHandler(limits);
  await manager.registerHandler(realtime).boot();
  expect(limits.counters().slowConsumers).toEqual({ dropped: 0, replaced: 0, ended: 0 });
  await manager.shutdown();
});

it("limits that limit nothing are described as that, before the boot and after", async () => {
  await using io = fakeServer();
  const limits = new Limits();
  const manager = new ServiceManager(io as Server, { logger: recordingLog() }).registerHandler(limits);
  const described = (): unknown => {
    const { builtIn, beforeEvents, features } = manager.describe();
    return [builtIn, beforeEvents, features.map(({ has }) => has)];
  };
  expect(described()).toEqual([[], [], [{ rates: [], connections: [], slowConsumers: [] }]]);
  limits.connections({});
  const before = described();
  expect(before).toMatchObject([[], [], [{ connections: [{ max: Infinity }] }]]);
  await manager.boot();
  expect(described()).toEqual(before);
  await manager.shutdown();
});

it("connections that were there before the limits count for their users from the setup on, and from the next one", async () => {
  await using io = fakeServer();
  const realtime = new Realtime({ user: ({ handshake }) => handshake.auth["user"] });
  const limits = new Limits({ realtime });
  limits.connections({ perUser: 2 });
  const manager = new ServiceManager(io, { logger: recordingLog() }).registerHandler(realtime);
  await manager.boot();
  const connect = (user: string) => io.connect({ auth: { user } });
  for (const user of ["ada", "ada", "bob"]) await connect(user);
  manager.registerHandler(limits);
  await manager.settled();
  for (let life = 0; life < 2; life++) {
    await expect(connect("ada")).rejects.toMatchObject({ code: "OVERLOADED" });
    expect(limits.counters().connections).toMatchObject({ open: 3, refusedUser: life + 1 });
    await limits.teardown();
    await limits.setup();
  }
  await connect("bob");
  await manager.shutdown({ graceMs: 0 });
});
