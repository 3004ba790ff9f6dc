import { subscribe as listen, unsubscribe } from "node:diagnostics_channel";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Limits, type Limited, type LimitsOptions } from "socket-ingress/limits";
import { Realtime } from "socket-ingress/realtime";
import { codeOf } from "../../fixtures/ingress.js";
import { openLimited, say, saying, type Refusal } from "./stage.js";

const minute = { points: 100, durationMs: 60_000 };

describe("a rate", () => {
  it("1. 100 per minute: the 101st is RATE_LIMITED with the true time left as retryAfterMs, which falls; after it the next is served; other users are not affected", async () => {
    let now = 1_000;
    vi.spyOn(performance, "now").mockImplementation(() => now);
    await using stage = await openLimited((limits) => limits.rate({ name: "talk", events: ["say"], ...minute }));
    const ann = await stage.enter({ user: "ann" });
    const bob = await stage.enter({ user: "bob" });
    expect(await saying(ann.socket, 100)).toBe(100);
    now += 10_000.4;
    const refused = { code: "RATE_LIMITED", details: { limit: "talk", retryAfterMs: 50_000 } };
    expect(await say(ann.socket)).toMatchObject(refused);
    now += 20_000;
    expect(await say(ann.socket)).toMatchObject({ details: { retryAfterMs: 30_000 } });
    expect(await say(bob.socket)).toBe(101);
    now += 29_999;
    expect(((await say(ann.socket)) as Refusal).details.retryAfterMs).toBe(1);
    now += 1;
    expect(await saying(ann.socket, 101)).toBe(100);
    expect(stage.said()).toBe(201);
    expect(stage.limits.counters().rates["talk"]).toMatchObject({ passed: 201, refused: 4, keys: 2 });
  });

  it("2. four reconnects, or two tabs, of one user share one budget", async () => {
    await using stage = await openLimited((limits) =>
      limits.rate({ name: "talk", events: ["say"], ...minute, points: 5 }),
    );
    for (let i = 0; i < 4; i++) {
      const ann = await stage.enter({ user: "ann" });
      expect(await say(ann.socket)).toBe(i + 1);
      ann.socket.disconnect();
    }
    const tabs = [await stage.enter({ user: "ann" }), await stage.enter({ user: "ann" })];
    const counts = [await saying(tabs[0]!.socket, 2), await saying(tabs[1]!.socket, 2)];
    expect(counts).toEqual([1, 0]);
  });

  it("4. one event with three subscribers costs 1; a call repeated by a retry costs 1; unknown events count", async () => {
    await using stage = await openLimited(
      (limits) => limits.rate({ name: "all", events: "all", ...minute, points: 5, by: "connection" }),
      { subscribers: 3 },
    );
    const client = await stage.served.connect();
    expect(await say(client)).toBe(3);
    for (let i = 0; i < 3; i++) {
      client.emit("ingress:request", "call-1", "say");
      expect(await say(client)).toBe(6);
    }
    expect(codeOf(await client.emitWithAck("nobody's"))).toBe("UNKNOWN_EVENT");
    client.emit("nobody's");
    client.emit("say");
    await vi.waitFor(() => expect(stage.said()).toBe(9));
    expect(await say(client)).toMatchObject({ code: "RATE_LIMITED" });
    expect(codeOf(await client.emitWithAck("nobody's"))).toBe("RATE_LIMITED");
    client.emit("say");
    await vi.waitFor(() => expect(stage.limits.counters().rates["all"]).toMatchObject({ passed: 5, refused: 3 }));
    expect(stage.said()).toBe(9);
  });

  it("a call that was refused may be repeated under its request id, and runs then", async () => {
    let now = 0;
    vi.spyOn(performance, "now").mockImplementation(() => now);
    await using stage = await openLimited((limits) =>
      limits.rate({ name: "talk", events: ["say"], points: 1, durationMs: 50 }),
    );
    const ann = await stage.enter({ user: "ann" });
    expect(await ann.call("a", "say")).toBe(1);
    expect(codeOf(await ann.call("b", "say"))).toBe("RATE_LIMITED");
    now += 50;
    expect(await ann.call("b", "say")).toBe(2);
    expect(await ann.call("a", "say")).toBe(1);
  });

  it("5. two users behind one address have a budget each, and one together where it is the address's", async () => {
    await using stage = await openLimited((limits) => {
      limits.rate({ name: "each", events: ["say"], ...minute, points: 2 });
      limits.rate({ name: "together", events: ["sync"], ...minute, points: 6, by: "address" });
    });
    const [ann, bob] = [await stage.enter({ user: "ann" }), await stage.enter({ user: "bob" })]; // a sync each
    expect([await saying(ann.socket, 3), await saying(bob.socket, 3)]).toEqual([2, 2]);
    const synced = await Promise.all(
      [1, 2, 3].flatMap(() => [ann, bob].map(({ socket }) => socket.emitWithAck("sync"))),
    );
    expect(synced.map(codeOf).filter((reply) => reply === true)).toHaveLength(4);
  });

  it("5. is by /64 for IPv6, and reads x-forwarded-for from the right by trustProxy hops", async () => {
    await using stage = await openLimited(
      (limits) => limits.rate({ name: "place", events: ["say"], ...minute, points: 1, by: "address" }),
      { limits: { trustProxy: 2 } },
    );
    const from = async (forwarded: string): Promise<unknown> => {
      const client = await stage.served.connect({ extraHeaders: { "x-forwarded-for": forwarded } });
      return codeOf(await client.emitWithAck("say"));
    };
    expect(await from("2001:db8:1:2::1, 10.0.0.1")).toBe(1);
    expect(await from("2001:db8:1:2:aaaa:bbbb:cccc:dddd, 10.0.0.1")).toBe("RATE_LIMITED");
    expect(await from("8.8.8.8, 2001:db8:1:2::7, 10.0.0.2")).toBe("RATE_LIMITED"); // what the client wrote itself
    expect(await from("2001:db8:1:3::1, 10.0.0.1")).toBe(2);
  });

  it("warns once where a client comes with x-forwarded-for and nobody has said how many proxies there are", async () => {
    const warned = async (trustProxy: LimitsOptions, forwarded: string | undefined): Promise<number> => {
      const declare = (limits: Limits): unknown =>
        limits.rate({ name: "place", events: ["say"], ...minute, by: "address" });
      await using stage = await openLimited(declare, { limits: trustProxy });
      const extraHeaders = forwarded === undefined ? {} : { "x-forwarded-for": forwarded };
      for (let i = 0; i < 2; i++) await say(await stage.served.connect({ extraHeaders }));
      return stage.log.lines.filter(({ message }) => message?.includes("trustProxy") === true).length;
    };
    expect(await warned({}, "192.0.2.1")).toBe(1);
    expect(await warned({}, undefined)).toBe(0);
    expect(await warned({ trustProxy: 0 }, "192.0.2.1")).toBe(0);
    expect(await warned({ trustProxy: 1 }, "192.0.2.1")).toBe(0);
  });

  it.each([3_600_000, -3_600_000])("6. a clock step of %s ms changes nothing", async (step) => {
    // Socket.IO's client goes by the wall clock itself: let it expect no heartbeat.
    await using stage = await openLimited(
      (limits) => limits.rate({ name: "talk", events: ["say"], ...minute, points: 2 }),
      {
        server: { pingInterval: 36_000_000 },
      },
    );
    const ann = await stage.enter({ user: "ann" });
    expect(await saying(ann.socket, 2)).toBe(2);
    const before = Date.now();
    vi.spyOn(Date, "now").mockImplementation(() => before + step);
    const refused = (await say(ann.socket)) as Refusal;
    expect(refused.code).toBe("RATE_LIMITED");
    expect(refused.details.retryAfterMs).toBeGreaterThan(0);
    expect(refused.details.retryAfterMs).toBeLessThanOrEqual(60_000);
  });

  it("7. observe counts and refuses nothing", async () => {
    const told: Limited[] = [];
    await using stage = await openLimited(
      (limits) => limits.rate({ name: "talk", events: ["say"], ...minute, points: 2, observe: true }),
      { limits: { onLimited: (limited) => told.push(limited) } },
    );
    const ann = await stage.enter({ user: "ann" });
    expect(await saying(ann.socket, 5)).toBe(5);
    expect(stage.limits.counters().rates["talk"]).toMatchObject({ passed: 2, observed: 3, refused: 0 });
    expect(told).toHaveLength(3);
    expect(told[0]).toMatchObject({ kind: "rate", limit: "talk", key: "user:ann", event: "say", observed: true });
  });

  it("7. a penalty blocks who goes on", async () => {
    let now = 0;
    vi.spyOn(performance, "now").mockImplementation(() => now);
    const talk = { name: "talk", events: ["say"], points: 1, durationMs: 100, blockMs: 5_000 };
    await using stage = await openLimited((limits) => limits.rate(talk));
    const [ann, bob] = [await stage.enter({ user: "ann" }), await stage.enter({ user: "bob" })];
    expect([await saying(ann.socket, 1), await saying(bob.socket, 1)]).toEqual([1, 1]);
    now += 50;
    expect(await say(ann.socket)).toMatchObject({ details: { retryAfterMs: 5_000 } });
    now += 1_000;
    expect(await say(ann.socket)).toMatchObject({ details: { retryAfterMs: 4_000 } });
    expect(typeof (await say(bob.socket))).toBe("number");
    now += 4_000;
    expect(typeof (await say(ann.socket))).toBe("number");
  });

  it("of one event is by whom it says: session, connection, event or a function", async () => {
    await using stage = await openLimited((limits) => {
      limits.rate({ name: "session", events: ["say"], ...minute, points: 3, by: "session" });
      limits.rate({ name: "connection", events: ["by connection"], ...minute, points: 1, by: "connection" });
      limits.rate({ name: "event", events: "all", ...minute, points: 3, by: "event" });
      limits.rate({ name: "room", events: ["say"], ...minute, points: 1, by: ({ args: [room] }) => room as string });
    });
    const [one, two] = [
      await stage.served.connect({ auth: { session: "s" } }),
      await stage.served.connect({ auth: { session: "s" } }),
    ];
    const codes = async (...asked: Promise<unknown>[]): Promise<unknown[]> => (await Promise.all(asked)).map(codeOf);
    const limit = async (asked: Promise<unknown>): Promise<unknown> => ((await asked) as Refusal).details.limit;
    expect(await codes(one.emitWithAck("by connection"), two.emitWithAck("by connection"))).toEqual([
      "UNKNOWN_EVENT",
      "UNKNOWN_EVENT",
    ]);
    expect(await limit(say(one, "by connection"))).toBe("connection");
    expect(await codes(one.emitWithAck("say", "a"), two.emitWithAck("say", "b"))).toEqual([1, 2]);
    expect(await limit(say(two, "say", "a"))).toBe("room"); // the third of the session
    expect(await limit(say(one, "say", "c"))).toBe("session");
    for (let i = 0; i < 3; i++) await one.emitWithAck("by event");
    expect(await limit(say(two, "by event"))).toBe("event");
    expect(codeOf(await two.emitWithAck("another event"))).toBe("UNKNOWN_EVENT");
  });

  it("by a function that names nobody counts nothing; one that throws, or names what is no string, refuses", async () => {
    await using stage = await openLimited((limits) => {
      limits.rate({ name: "some", events: ["say"], ...minute, points: 1, by: ({ args: [who] }) => who as string });
    });
    const ann = await stage.enter();
    expect(await saying(ann.socket, 3)).toBe(3);
    expect(await say(ann.socket, "say", 7)).toMatchObject({ code: "INTERNAL" });
    stage.limits.rate({
      name: "broken",
      events: ["say"],
      ...minute,
      by: () => {
        throw new Error("no");
      },
    });
    expect(await say(ann.socket)).toMatchObject({ code: "INTERNAL" });
    await vi.waitFor(() => expect(stage.log.lines.filter(({ level }) => level === "error").length).toBeGreaterThan(0));
  });

  it("of users counts guests by their address, and can't be declared without saying how long a window is", async () => {
    await using stage = await openLimited((limits) =>
      limits.rate({ name: "talk", events: ["say"], ...minute, points: 3, by: "session" }),
    );
    const [ann, guest, other] = [await stage.enter({ session: "s" }), await stage.enter(), await stage.enter()];
    expect([await saying(ann.socket, 4), await saying(guest.socket, 2), await saying(other.socket, 2)]).toEqual([
      3, 2, 1,
    ]);
    const store = { consume: () => Promise.resolve(), points: 5 };
    expect(() => stage.limits.rate({ name: "windowless", events: ["say"], store })).toThrow("durationMs");
    expect(() => new Limits({ realtime: 7 as never })).toThrow("realtime");
  });

  it("can be declared and taken back while clients are connected", async () => {
    await using stage = await openLimited(() => undefined);
    const ann = await stage.enter({ user: "ann" });
    const off = stage.limits.rate({ name: "talk", events: ["say"], ...minute, points: 1 });
    expect(await saying(ann.socket, 3)).toBe(1);
    off();
    off();
    expect(await saying(ann.socket, 3)).toBe(3);
  });

  it("is told on the channel socket-ingress:limited, and to onLimited, whose failure is logged", async () => {
    const told: unknown[] = [];
    const hear = (message: unknown): void => void told.push(message);
    listen("socket-ingress:limited", hear);
    await using stage = await openLimited(
      (limits) => limits.rate({ name: "talk", events: ["say"], ...minute, points: 1 }),
      {
        limits: {
          onLimited: () => {
            throw new Error("mine");
          },
        },
      },
    );
    const ann = await stage.enter({ user: "ann" });
    expect(await saying(ann.socket, 2)).toBe(1);
    unsubscribe("socket-ingress:limited", hear);
    expect(told).toHaveLength(1);
    expect(told[0]).toMatchObject({ limit: "talk", key: "user:ann", event: "say", observed: false });
    expect(stage.log.lines.some(({ message }) => message === "onLimited failed")).toBe(true);
  });

  it("keeps at most maxKeys keys, and forgets the one it has known longest", async () => {
    await using stage = await openLimited((limits) => {
      limits.rate({
        name: "room",
        events: ["say"],
        ...minute,
        points: 1,
        maxKeys: 2,
        by: ({ args: [room] }) => room as string,
      });
    });
    const ann = await stage.enter();
    for (const room of ["a", "b", "c"]) expect(typeof (await say(ann.socket, "say", room))).toBe("number");
    expect(stage.limits.counters().rates["room"]?.keys).toBe(2);
    expect(await say(ann.socket, "say", "c")).toMatchObject({ code: "RATE_LIMITED" });
    expect(typeof (await say(ann.socket, "say", "a"))).toBe("number");
    expect(typeof (await say(ann.socket, "say", "x".repeat(300_000)))).toBe("number");
    expect(await say(ann.socket, "say", "x".repeat(300_000))).toMatchObject({ code: "RATE_LIMITED" });
  });

  it("leaves nothing behind when it is torn down, and counts on when it is set up again", async () => {
    await using stage = await openLimited((limits) =>
      limits.rate({ name: "talk", events: ["say"], ...minute, points: 1 }),
    );
    const ann = await stage.enter({ user: "ann" });
    expect(await saying(ann.socket, 2)).toBe(1);
    await stage.limits.teardown();
    expect(await saying(ann.socket, 2)).toBe(2);
    await stage.limits.setup();
    expect(await saying(ann.socket, 2)).toBe(0);
  });
});

describe("what is declared wrongly", () => {
  const realtime = new Realtime();
  const talk = { name: "talk", events: ["say"], ...minute };
  it.each([
    [{}, "limits.rate: name must be a non-empty string, got undefined"],
    [{ ...talk, events: [] }, 'limits.rate "talk": events names none'],
    [{ ...talk, events: "say" }, 'limits.rate "talk": events must be a list of events, or "all", got "say"'],
    [{ ...talk, events: ["connect"] }, 'limits.rate "talk": "connect" is no event that a client sends'],
    [{ ...talk, points: 0 }, 'limits.rate "talk": points must be a whole number from 1'],
    [{ ...talk, points: undefined }, 'limits.rate "talk": points must be a whole number from 1'],
    [{ ...talk, durationMs: -1 }, 'limits.rate "talk": durationMs must be milliseconds from 1'],
    [
      { ...talk, durationMs: Infinity },
      'limits.rate "talk": durationMs must be milliseconds from 1 to 2147483647, got',
    ],
    [{ ...talk, storeTimeoutMs: Infinity }, 'limits.rate "talk": storeTimeoutMs must be milliseconds from 1 to'],
    [{ ...talk, by: "socket" }, 'limits.rate "talk": by must be "user", "session"'],
    [{ ...talk, store: {} }, 'limits.rate "talk": store must be a limiter with consume(key, points), got an object'],
    [{ ...talk, every: 1 }, 'limits.rate "talk": there is no option "every"'],
  ])("throws at once, and says what: %o", (options, message) => {
    expect(() => new Limits({ realtime }).rate(options as never)).toThrow(message);
  });

  it("needs a realtime door for users and sessions", () => {
    expect(() => new Limits().rate({ ...talk, by: "user" })).toThrow("give the Limits a realtime");
    expect(() => new Limits().connections({ perUser: 1 })).toThrow("give the Limits a realtime");
    expect(() => new Limits({ realtime: {} as never })).toThrow("Limits: realtime must be a Realtime");
    expect(() => new Limits().connections({ max: 1, heartbeatMs: Infinity })).toThrow(
      "limits.connections: heartbeatMs must be milliseconds from 1 to 2147483647, got",
    );
    expect(() => new Limits({ trustProxy: -1 })).toThrow("Limits: trustProxy must be a whole number from 0");
  });

  it.each([
    [[], "Limits: namespaces must be a list of namespaces"],
    [["/", 5], 'Limits: namespace must be a name like "/chat" or a RegExp without the g and y flags, got 5'],
    [[/^\/n/g], "got /^\\/n/g"],
  ])("is told of namespaces that are none, too: %o", (namespaces, message) => {
    expect(() => new Limits({ namespaces: namespaces as string[] })).toThrow(message);
  });

  it("has each name once", () => {
    const limits = new Limits();
    limits.rate(talk);
    expect(() => limits.rate(talk)).toThrow('limits.rate "talk": there is a rate of this name already');
  });
});

afterEach(() => vi.restoreAllMocks());
