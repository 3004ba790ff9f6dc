import { expect, it } from "vitest";
import { Adapter } from "socket.io-adapter";
import {
  createEmitter,
  MemoryCallStore,
  MemoryTopicLog,
  othersInGroup,
  Realtime,
  RedisCallStore,
  RedisTopicLog,
  Topics,
  user,
} from "socket-ingress/realtime";
import { open } from "./door.js";

const redis = { sendCommand: () => Promise.resolve() } as never;

it("what is called wrongly says what was expected, at once, and sends nothing", async () => {
  await using door = await open();
  const { realtime } = door;
  const client = await door.enter({ user: "ann" });
  const context = { socket: undefined } as never;
  const mistakes: [wrong: () => unknown, message: RegExp][] = [
    [() => new Realtime(null as never), /Realtime: options must be an object, got null/],
    [() => realtime.notify(context, user("ann"), 1), /notify: expected the context of an event first/],
    [() => realtime.sendTo(user("ann"), 1, { event: "" }), /event must be a non-empty string, got ""/],
    [() => realtime.sendTo(user("ann"), 1, { event: 5 as never }), /event must be a non-empty string, got 5/],
    [() => realtime.emitSocket("e", (() => 1) as never), /expected data, got a function/],
    [
      () => realtime.sendTo(user("ann"), 1, { evnt: "x" } as never),
      /notify: there is no option "evnt"; there are event, count,/,
    ],
    [
      () => realtime.emitSocket("e", 1, user("ann"), { volatil: true } as never),
      /push "e": there is no option "volatil"/,
    ],
    [() => realtime.disconnect(user("ann"), { retryAfter: 5 } as never), /disconnect: there is no option "retryAfter"/],
    [() => realtime.revoke("ann", "t", { reason: "x" } as never), /revoke: there is no option "reason"/],
    [() => realtime.setUser(context, "bob"), /setUser: expected a socket, such as a context's, got an object/],
    [() => realtime.setSession(undefined as never, "s"), /setSession: expected a socket, .*got undefined/],
    [() => realtime.revoke(undefined as never), /revoke: expected the id of a user/],
    [() => realtime.revoke("ann", ""), /revoke: expected the name of a topic/],
    [() => realtime.watchForDropout("ann", 5 as never, 1), /watchForDropout: expected a function, got 5/],
    [() => realtime.watchForDropout("ann", () => 1, -1), /watchForDropout: expected milliseconds from 0, got -1/],
    [
      () => realtime.groups.waitForGroup("ann", { pool: "p", size: 2, timeoutMs: 5 } as never),
      /waitForGroup: there is no option "timeoutMs"; there are pool, size,/,
    ],
    [
      () => createEmitter({ adapter: Adapter, logs: undefined } as never),
      /createEmitter: there is no option "logs"; there are adapter, namespace, log/,
    ],
    [() => othersInGroup(context), /recipients: expected the context of an event/],
  ];
  for (const [wrong, message] of mistakes) {
    let thrown: unknown;
    try {
      // Some of them are promises, whose caller hears of the mistake as a rejection.
      await wrong();
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(TypeError);
    expect((thrown as Error).message).toMatch(message);
  }
  await client.caughtUp();
  expect(client.events).toEqual([]);
});

it.each<[string, (options: never) => unknown, object]>([
  ["a Realtime", (options) => new Realtime(options), { topicsPerSockets: 5 }],
  ["its presence", (presence) => new Realtime({ presence }), { grace: 5 }],
  ["its calls", (calls) => new Realtime({ calls }), { window: 5 }],
  ["its calls, which are no options", (calls) => new Realtime({ calls }), true as never],
  ["a store of calls", (options) => new MemoryCallStore(options), { maxAnswers: 5 }],
  ["a log in memory", (options) => new MemoryTopicLog(options), { windw: 5 }],
  ["a log in Redis", (options) => new RedisTopicLog(redis, options), { maxBytes: 5 }],
  ["a topic", (definition) => new Topics().define("a", definition), { public: true, histroy: { keep: 5 } }],
  ["a topic's history", (history) => new Topics().define("a", { public: true, history }), { max: 5 }],
  ["a topic's presence", (presence) => new Topics().define("a", { public: true, presence }), { batch: 5 }],
])("%s is not made with an option that there is not: it would be left out in silence", (_, make, options) => {
  expect(() => make(options as never)).toThrow(TypeError);
  expect(() => make(options as never)).toThrow(
    /there is no option "(\w+)"; there are|options must be an object, got true/,
  );
});

it("an option that is undefined is as good as left out", () => {
  const none = undefined as never;
  const client = { sendCommand: () => Promise.resolve() } as never;
  expect(() => new MemoryCallStore({ maxTotal: none })).not.toThrow();
  expect(() => new RedisCallStore(client, { prefix: none, maxPerIdentity: none })).not.toThrow();
  expect(() => new Realtime({ calls: { maxPerIdentity: none }, presence: { graceMs: none } })).not.toThrow();
});

it.each([
  ["memberships", /memberships must be an object with a method add, got an object/],
  ["waitingRoom", /waitingRoom must be an object with a method arrive, got an object/],
  ["log", /log must be an object with a method append, got an object/],
])("what is given as %s has the methods of one", (name, message) => {
  expect(() => new Realtime({ [name]: {} })).toThrow(message);
});
