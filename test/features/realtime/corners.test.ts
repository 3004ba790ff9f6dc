import { describe, expect, it, vi } from "vitest";
import { EventError } from "socket-ingress";
import {
  createEmitter,
  type Memberships,
  MemoryMemberships,
  Realtime,
  RedisCallStore,
  user,
} from "socket-ingress/realtime";
import { memoryCluster } from "socket-ingress/testing";
import { LearnedHistories } from "../../../src/features/realtime/learned-histories.js";
import { ReviewContext } from "../../../src/features/realtime/review-context.js";
import { MemoryCallStore } from "../../../src/features/realtime/calls/memory-call-store.js";
import { Dropouts } from "../../../src/features/realtime/groups/dropout.js";
import { MemoryWaitingRoom } from "../../../src/features/realtime/groups/waiting-room.js";
import { WaitingUsers } from "../../../src/features/realtime/groups/waiting-users.js";
import type { Cluster } from "../../../src/push/cluster.js";
import { roomOf } from "../../../src/push/rooms.js";
import { codeOf } from "../../fixtures/ingress.js";
import { recordingLog } from "../../fixtures/recording-log.js";
import { deferred, open } from "./door.js";

describe("what is wired wrongly", () => {
  it("is said at once, naming what was expected", async () => {
    await expect(createEmitter(undefined as never)).rejects.toThrow("createEmitter: expected an adapter");
    const realtime = new Realtime();
    for (const options of [null, [], 5])
      expect(() => realtime.emitSocketRefetch("posts", options as never)).toThrow("options must be an object");
    expect(() => realtime.topics.define("t", { input: 5 as never })).toThrow(TypeError);
    expect(() => new Realtime({ calls: { store: {} as never } })).toThrow("calls.store: expected a CallStore");
    const client = { sendCommand: () => Promise.resolve() } as never;
    expect(() => new RedisCallStore(client, { prefix: 5 as never })).toThrow("prefix must be a string");
    expect(() => new RedisCallStore(client, { maxPerIdentity: 0 })).toThrow("maxPerIdentity must be a whole number");
  });

  it("is a recipient that is none", async () => {
    await using door = await open();
    const ann = await door.enter({ user: "ann" });
    await door.realtime.sendTo(user("ann"), "hello");
    expect(await ann.next("ingress:notify")).toEqual({ data: "hello" });
    for (const none of [null, 5, {}, { resolve: 5 }])
      expect(() => door.realtime.sendTo(none as never, "hello")).toThrow(TypeError);
  });
});

describe("a door that is not set up", () => {
  it("knows nobody and nothing", async () => {
    await using door = await open();
    const ann = await door.enter({ user: "ann" });
    const socket = door.served.serverSide(ann.socket);
    const other = new Realtime();
    expect(other.identify(socket)).toEqual({ user: undefined, session: undefined });
    expect(other.topicsOf(socket)).toEqual([]);
    ann.socket.disconnect();
    await vi.waitFor(() => expect(socket.connected).toBe(false));
    expect(door.realtime.topicsOf(socket)).toEqual([]);
  });
});

describe("a refetch for everybody", () => {
  it("needs no options", async () => {
    await using door = await open();
    const ann = await door.enter();
    await door.realtime.emitSocketRefetch("posts");
    expect(await ann.next("ingress:refetch")).toMatchObject({ action: "posts" });
  });
});

describe("a session that is rotated", () => {
  it("to none while it is found out whose a socket is leaves its user, or takes it away, as was said", async () => {
    for (const login of [undefined, { user: null }, { user: "bob" }]) {
      const [asked, found] = [deferred(), deferred<string>()];
      await using door = await open({
        user: () => {
          asked.resolve();
          return found.promise;
        },
      });
      const entering = door.enter({ session: "s" });
      await asked.promise;
      // Who is in already has that session, and is asked nothing more where it stays the same.
      await door.realtime.rotateSession("s", undefined, login);
      found.resolve("ann");
      const client = await entering;
      expect(door.realtime.identify(door.served.serverSide(client.socket))).toEqual({
        user: login === undefined ? "ann" : (login.user ?? undefined),
        session: undefined,
      });
    }
  });

  it("to itself asks no policy again", async () => {
    await using door = await open();
    const join = vi.fn(() => true);
    door.realtime.topics.define("t", { join });
    const ann = await door.enter({ user: "ann", session: "s" });
    await ann.join("t");
    expect(await door.realtime.rotateSession("s", "s", { user: "ann" })).toMatchObject({ sockets: 1 });
    expect(join).toHaveBeenCalledTimes(1);
  });
});

describe("histories that other nodes declare", () => {
  const settings = { keep: 5, maxAgeMs: 1_000 };
  const asking = (answer: (topics: readonly string[]) => unknown) => {
    const ask = vi.fn(async ({ topics }: { topics: readonly string[] }) => ({
      answers: [answer(topics)].filter((one) => one !== undefined),
      complete: true,
    }));
    return { ask, cluster: { ask } as unknown as Cluster };
  };

  it("are taken to be the usual ones where nobody is there to be asked and there is a log, and asked about again", async () => {
    const { ask, cluster } = asking(() => undefined);
    const withLog = new LearnedHistories(cluster, true);
    await withLog.learn({ kind: "topic", id: "t" });
    expect(withLog.of("t")).toEqual({ keep: 1_000, maxAgeMs: 3_600_000 });
    await withLog.learn({ kind: "topic", id: "t" });
    expect(ask).toHaveBeenCalledTimes(2);
    const without = new LearnedHistories(cluster, false);
    await without.learn({ kind: "topic", id: "t" });
    expect([without.of("t"), without.any()]).toEqual([undefined, false]);
  });

  it("are asked about once for whoever is left out, and the oldest are forgotten", async () => {
    const { ask, cluster } = asking((topics) => topics.map(() => settings));
    const learned = new LearnedHistories(cluster, true);
    const from = { kind: "topic", id: "first" } as const;
    await learned.learn({ kind: "except", from, without: [] } as never);
    expect(learned.of("first")).toEqual(settings);
    expect(learned.learn(from)).toBeUndefined();
    const many = Array.from({ length: 10_000 }, (_, i) => ({ kind: "topic", id: `t${i}` }) as const);
    await learned.learn({ kind: "union", of: many });
    expect([learned.of("first"), learned.of("t9999")]).toEqual([undefined, settings]);
    expect(ask).toHaveBeenCalledTimes(2);
  });
});

it("calls that stay with whom they are carry nothing", async () => {
  const sendCommand = vi.fn();
  await new RedisCallStore({ sendCommand }).carry("user:ann", "user:ann");
  expect(sendCommand).not.toHaveBeenCalled();
});

describe("a user who dropped out", () => {
  it("has not where they are seen on another node at the last moment, or here while the others are asked; each watch ends by itself", async () => {
    let [isHere, seen] = [false, "elsewhere" as string | undefined];
    let asked = deferred();
    let answer = deferred();
    const ask = async () => {
      asked.resolve();
      await answer.promise;
      return { answers: seen === undefined ? [] : [["ann"]], complete: true };
    };
    const cluster = { on: () => undefined, ask } as unknown as Cluster;
    const dropouts = new Dropouts(cluster, recordingLog(), 1_000, () => isHere);
    const [ran, other] = [vi.fn(), vi.fn()];
    const endFirst = dropouts.watch("ann", ran, 1);
    const end = dropouts.watch("ann", other, 60_000);
    await asked.promise;
    answer.resolve();
    await new Promise(setImmediate);
    expect([ran.mock.calls.length, dropouts.size]).toEqual([0, 2]);
    endFirst();
    expect(dropouts.size).toBe(1);
    // Away, as far as is known, until they come back here in the middle of the question.
    [seen, asked, answer] = [undefined, deferred(), deferred()];
    const looking = dropouts.look();
    await asked.promise;
    isHere = true;
    dropouts.came("ann");
    answer.resolve();
    await looking;
    expect(other).not.toHaveBeenCalled();
    end();
    expect(dropouts.size).toBe(0);
  });
});

describe("the context of a review", () => {
  it("has no timer where a policy may think for ever, and a signal that says that the client is gone", async () => {
    await using door = await open();
    const ann = await door.enter();
    const socket = door.served.serverSide(ann.socket);
    const endless = new ReviewContext(socket, recordingLog(), Infinity);
    expect(endless.signal.aborted).toBe(false);
    endless.end();
    ann.socket.disconnect();
    await vi.waitFor(() => expect(socket.connected).toBe(false));
    const late = new ReviewContext(socket, recordingLog(), 1_000);
    expect(late.signal.reason).toMatchObject({ code: "DISCONNECTED" });
    late.end();
  });
});

describe("calls that a store in memory knows", () => {
  const times = { windowMs: 1_000, leaseMs: 1_000 };
  const claim = (store: MemoryCallStore, identity: string, requestId: string) =>
    store.claim({ identity, requestId }, "digest", times);

  it("are forgotten of whoever holds more than a fair share, and never while they run", () => {
    const store = new MemoryCallStore({ maxTotal: 4, maxPerIdentity: 3 });
    const done = (identity: string, requestId: string): void => {
      const { token } = claim(store, identity, requestId) as { token: string };
      store.answer({ identity, requestId }, token, "1", times);
    };
    for (const id of ["1", "2", "3"]) done("greedy", id);
    claim(store, "modest", "runs");
    claim(store, "modest", "runs too");
    expect(store.stats.requests).toBe(4);
    expect(claim(store, "greedy", "1")).toMatchObject({ kind: "run" });
    expect(claim(store, "modest", "runs")).toEqual({ kind: "running" });
    for (let i = 0; i < 9; i++) claim(store, `runner ${i}`, "r");
    expect(claim(store, "modest", "runs")).toEqual({ kind: "running" });
  });

  it("may be asked for anew under the same id before their turn to be forgotten, and are not forgotten with what they were", () => {
    let now = 0;
    vi.spyOn(performance, "now").mockImplementation(() => now);
    const store = new MemoryCallStore();
    const key = { identity: "a", requestId: "r" };
    const long = { ...key, requestId: "long" };
    store.answer(long, (store.claim(long, "d", times) as { token: string }).token, "1", { ...times, windowMs: 9_000 });
    store.answer(key, (store.claim(key, "d", times) as { token: string }).token, "1", times);
    now = 2_000;
    // Behind one that is kept for longer.
    expect(store.claim(key, "d", times)).toMatchObject({ kind: "run" });
    now = 10_000;
    claim(store, "b", "r");
    expect(store.stats.requests).toBe(2);
    vi.restoreAllMocks();
  });
});

describe("who waits for a group", () => {
  it("keeps their place, on whichever node they wait, where one that is given away with them waits nowhere any more", async () => {
    const cluster = memoryCluster();
    const waitingRoom = new MemoryWaitingRoom();
    const node = () => open({ server: { adapter: cluster.adapter }, waitingRoom });
    await using one = await node();
    await using two = await node();
    for (const { ingress, realtime } of [one, two])
      ingress.subscribe("ready", (context) => realtime.waitForGroup(context, { pool: "p", size: 3 }));
    // Left behind by a node that died.
    waitingRoom.arrive("p", "zoe", 3);
    const [ann, bob] = [await one.enter({ user: "ann" }), await two.enter({ user: "bob" })];
    const second = bob.socket.emitWithAck("ready");
    await bob.caughtUp();
    const arrive = vi.spyOn(waitingRoom, "arrive");
    const first = ann.socket.emitWithAck("ready");
    // Given away, and back again: both of them, and nobody else.
    await vi.waitFor(() => expect(arrive.mock.calls.map(([, name]) => name)).toEqual(["ann", "bob", "ann"]));
    const cid = await one.enter({ user: "cid" });
    const group = await cid.socket.emitWithAck("ready");
    expect(group).toMatchObject({ members: ["bob", "ann", "cid"] });
    expect(await Promise.all([first, second])).toEqual([group, group]);
  });

  it("is told on whichever node they wait that it could not be made", async () => {
    const cluster = memoryCluster();
    const waitingRoom = new MemoryWaitingRoom();
    const node = () => open({ server: { adapter: cluster.adapter }, waitingRoom });
    await using one = await node();
    await using two = await node();
    for (const { ingress, realtime } of [one, two])
      ingress.subscribe("ready", (context) =>
        realtime.waitForGroup(context, {
          pool: "p",
          size: 2,
          afterGrouping: () => {
            throw new EventError("CONFLICT", "no table is free");
          },
        }),
      );
    const [ann, bob] = [await one.enter({ user: "ann" }), await two.enter({ user: "bob" })];
    const first = ann.socket.emitWithAck("ready");
    await ann.caughtUp();
    expect(codeOf(await bob.socket.emitWithAck("ready"))).toBe("CONFLICT");
    expect(codeOf(await first)).toBe("INTERNAL");
  });

  it("is out of the rooms of their group when somebody else logs in, and enters none that a slow store says too late", async () => {
    const [asked, answer] = [deferred(), deferred()];
    const inner = new MemoryMemberships();
    let reads = 0;
    const memberships: Memberships = {
      add: (place, name) => inner.add(place, name),
      remove: (place, name) => inner.remove(place, name),
      members: (place) => inner.members(place),
      places: async (name) => {
        if (name === "bob" && ++reads === 2) {
          asked.resolve();
          await answer.promise;
        }
        return inner.places(name);
      },
    };
    inner.add({ kind: "group", id: "g" }, "ann");
    inner.add({ kind: "group", id: "h" }, "bob");
    await using door = await open({ memberships });
    const ann = await door.enter({ user: "ann" });
    const socket = door.served.serverSide(ann.socket);
    expect(socket.rooms.has(roomOf("group", "g"))).toBe(true);
    const changed = door.realtime.setUser(socket, "bob");
    expect(socket.rooms.has(roomOf("group", "g"))).toBe(false);
    await asked.promise;
    // Once more the same user, and then gone, while the store is asked.
    await door.realtime.setUser(socket, undefined);
    await door.realtime.setUser(socket, "ann");
    ann.socket.disconnect();
    await vi.waitFor(() => expect(socket.connected).toBe(false));
    answer.resolve();
    await changed;
    expect(socket.rooms.size).toBe(0);
  });

  it("is known for as long as anything is to be known, and anew afterwards; a room has no pool that is empty", () => {
    const users = new WaitingUsers();
    const old = users.take("p", "ann");
    users.release(old);
    const entry = users.take("p", "ann");
    users.release(old);
    expect(users.find("p", "ann")).toBe(entry);
    const room = new MemoryWaitingRoom();
    for (const name of ["a", "b", "c"]) room.arrive("p", name, 9);
    expect(room.arrive("p", "d", 2)).toEqual(["a", "b"]);
    expect(room.arrive("p", "e", 3)).toEqual(["c", "d", "e"]);
  });
});

describe("a join", () => {
  it("may carry what JSON leaves out of an object, and up to 10,000 characters of it", async () => {
    await using door = await open();
    const got: unknown[] = [];
    const input = { "~standard": { version: 1 as const, vendor: "test", validate: (value: unknown) => ({ value }) } };
    door.realtime.topics.define("t", {
      input,
      join: (_context: unknown, _params: unknown, value: unknown) => (got.push(value), true),
    } as never);
    const ann = await door.enter();
    const longest = "x".repeat(9_998);
    expect(codeOf(await ann.join({ topic: "t", input: `${longest}x` }))).toBe("INVALID_INPUT");
    expect(await ann.join({ topic: "t", input: longest })).toEqual({});
    expect(got).toEqual([longest]);
  });

  it("of a client that goes while its policy thinks comes to nothing, whether the door is told of it or not", async () => {
    for (const isTold of [true, false]) {
      const [asked, verdict] = [deferred(), deferred<boolean>()];
      await using door = await open({
        ingress: { use: [(context, next) => (context.event === "disconnecting" && !isTold ? undefined : next())] },
      });
      const left = vi.fn();
      door.realtime.topics.define("t", {
        join: () => {
          asked.resolve();
          return verdict.promise;
        },
        left,
      });
      const ann = await door.enter({ user: "ann" });
      const socket = door.served.serverSide(ann.socket);
      ann.socket.emit("ingress:join", "t");
      await asked.promise;
      ann.socket.disconnect();
      await vi.waitFor(() => expect(socket.connected).toBe(false));
      verdict.resolve(true);
      await new Promise(setImmediate);
      expect([socket.rooms.size, door.realtime.stats().joined, left.mock.calls.length]).toEqual([0, 0, 0]);
      await door.realtime.setUser(socket, "bob");
      expect(door.realtime.identify(socket).user).not.toBe("bob");
    }
  });

  it("ends in the turn in which its policy ends the connection", async () => {
    await using door = await open();
    const asked = deferred<AbortSignal>();
    door.realtime.topics.define("t", {
      join: (context) => {
        context.socket.disconnect();
        asked.resolve(context.signal);
        return new Promise(() => undefined);
      },
    });
    const ann = await door.enter();
    ann.socket.emit("ingress:join", "t");
    expect((await asked.promise).aborted).toBe(true);
    await new Promise(setImmediate);
    expect(door.realtime.stats()).toMatchObject({ joined: 0 });
  });

  it("that is shared with another is a CONFLICT where the topic is lost before both can be answered", async () => {
    await using door = await open();
    const [asked, verdict, slow] = [deferred(), deferred<boolean>(), deferred<boolean>()];
    door.realtime.topics.define("t", {
      join: () => {
        asked.resolve();
        return verdict.promise;
      },
    });
    const slowAsked = deferred();
    door.realtime.topics.define("slow", {
      join: () => {
        slowAsked.resolve();
        return slow.promise;
      },
    });
    const ann = await door.enter({ user: "ann" });
    const first = ann.join("t");
    await asked.promise;
    const both = ann.socket.emitWithAck("ingress:join", ["t", "slow"], null);
    await slowAsked.promise;
    verdict.resolve(true);
    expect(await first).toEqual({});
    await door.realtime.revoke("ann", "t");
    slow.resolve(true);
    const { answers, refused } = (await both) as { answers: unknown[]; refused: string[] };
    expect([codeOf(answers[0]), answers[1], refused]).toEqual(["CONFLICT", {}, ["t"]]);
  });

  it("of who is in already and whose user changes meanwhile leaves them suspended until the review has said so", async () => {
    await using door = await open();
    const [asked, verdict] = [deferred(), deferred<boolean>()];
    let asks = 0;
    door.realtime.topics.define("t", {
      join: () => {
        if (++asks !== 2) return true;
        asked.resolve();
        return verdict.promise;
      },
    });
    const ann = await door.enter({ user: "ann" });
    const socket = door.served.serverSide(ann.socket);
    await ann.join("t");
    const again = ann.join("t");
    await asked.promise;
    const changed = door.realtime.setUser(socket, "bob");
    verdict.resolve(true);
    expect(codeOf(await again)).toBe("CONFLICT");
    await changed;
    expect(door.realtime.topicsOf(socket)).toEqual(["t"]);
    expect(socket.rooms.has(roomOf("topic", "t"))).toBe(true);
  });

  it("that took too long, of who is in already, changes nothing where its policy then fails for the moment", async () => {
    await using door = await open({ ingress: { timeoutMs: 40 } });
    const verdict = deferred<boolean>();
    let asks = 0;
    door.realtime.topics.define("t", { join: () => (++asks === 1 ? true : verdict.promise) });
    const ann = await door.enter({ user: "ann" });
    await ann.join("t");
    expect(codeOf(await ann.join("t"))).toBe("TIMEOUT");
    verdict.reject(new EventError("OVERLOADED", "not now"));
    await new Promise(setImmediate);
    expect(door.realtime.topicsOf(door.served.serverSide(ann.socket))).toEqual(["t"]);
  });
});

describe("a review", () => {
  it("takes away what is not declared any more, and what the application put somebody in that wants an input", async () => {
    await using door = await open();
    const off = door.realtime.topics.define("gone", { public: true });
    const input = { "~standard": { version: 1 as const, vendor: "test", validate: (value: unknown) => ({ value }) } };
    door.realtime.topics.define("said", { join: () => true, input });
    const ann = await door.enter({ user: "ann" });
    const socket = door.served.serverSide(ann.socket);
    await ann.join("gone");
    await socket.join(roomOf("topic", "said"));
    off();
    await door.realtime.setUser(socket, "bob");
    expect(await ann.next("ingress:evicted")).toMatchObject({ topic: "gone", code: "FORBIDDEN" });
    await ann.caughtUp();
    expect([ann.got("ingress:evicted").length, [...socket.rooms].filter((room) => room.includes("topic"))]).toEqual([
      1,
      [],
    ]);
  });
});
