import { loopTime } from "../../fixtures/loop-time.js";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Socket } from "socket.io";
import { EventError } from "socket-ingress";
import type { EventFailure } from "socket-ingress/client";
import { createClient } from "socket-ingress/client";
import type { ConnectionOptions, LimitsOptions } from "socket-ingress/limits";
import { memoryCluster } from "socket-ingress/testing";
import { deferred } from "../../fixtures/deferred.js";
import { ConnectError } from "../../fixtures/serve.js";
import { RawClient } from "../../fixtures/raw-client.js";
import type { As } from "../realtime/door.js";
import { openLimited, say, type Stage, type StageOptions } from "./stage.js";

const openCounted = (options: ConnectionOptions, more: StageOptions = {}): Promise<Stage> =>
  openLimited((limits) => limits.connections(options), more);

/** What became of a connection: in, or the failure. */
async function coming(
  stage: Stage,
  as: As = {},
): Promise<"in" | { code: string; details: { scope: string; retryAfterMs: number } }> {
  try {
    await stage.served.connect({ auth: { ...as } });
    return "in";
  } catch (error) {
    if (!(error instanceof ConnectError)) throw error;
    return error.data as never;
  }
}

/** How many are in, and what the others heard. */
async function crowd(
  stages: readonly Stage[],
  times: number,
): Promise<{ inside: number; refused: { code: string; details: { scope: string; retryAfterMs: number } }[] }> {
  const all = await Promise.all(Array.from({ length: times }, (_, i) => coming(stages[i % stages.length]!)));
  const refused = all.filter((one) => one !== "in");
  return { inside: all.length - refused.length, refused };
}

describe("connections", () => {
  it(
    "8. 250 connects at once against `max: 100`: exactly 100, the others `OVERLOADED` with scope and a `retryAfterMs` with jitter",
    { timeout: 60_000 },
    async () => {
      await using stage = await openCounted({ max: 100 });
      const { inside, refused } = await crowd([stage], 250);
      expect(inside).toBe(100);
      expect(new Set(refused.map(({ code, details }) => `${code} ${details.scope}`))).toEqual(
        new Set(["OVERLOADED server"]),
      );
      const waits = refused.map(({ details }) => details.retryAfterMs);
      expect(Math.min(...waits)).toBeGreaterThanOrEqual(1_000);
      expect(Math.max(...waits)).toBeLessThanOrEqual(5_000);
      expect(new Set(waits).size).toBeGreaterThan(20);
      expect(stage.limits.counters().connections).toMatchObject({ open: 100, refusedServer: 150 });
    },
  );

  it("8. the client's helper comes back when there is room", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0);
    await using stage = await openCounted({ max: 1 });
    const first = await stage.served.connect();
    const client = createClient(stage.served.client());
    const ended = deferred<EventFailure>();
    client.onEnded(ended.resolve);
    const isIn = deferred();
    client.onReady(() => isIn.resolve());
    client.socket.connect();
    expect(await ended.promise).toMatchObject({
      code: "OVERLOADED",
      retryAfterMs: 1_000,
      details: { scope: "server" },
    });
    first.disconnect();
    await isIn.promise;
    client.close();
  });

  it("8. `closeOldest` tells the old tab `CONFLICT`, reason `replaced`, and it stays away", async () => {
    await using stage = await openCounted({ perUser: 2, whenUserIsFull: "closeOldest" });
    const tabs = [await stage.enter({ user: "ann" }), await stage.enter({ user: "ann" })];
    const old = createClient(tabs[0]!.socket);
    const ended = deferred<EventFailure>();
    old.onEnded(ended.resolve);
    const bob = await stage.enter({ user: "bob" });
    const third = await stage.enter({ user: "ann" });
    expect(await ended.promise).toMatchObject({ code: "CONFLICT", details: { reason: "replaced" } });
    expect(old.status).toMatchObject({ connected: false, willRetry: false });
    for (const { socket } of [tabs[1]!, bob, third]) expect(typeof (await say(socket))).toBe("number");
    expect(stage.limits.counters().connections).toMatchObject({ open: 3, replaced: 1, refusedUser: 0 });
  });

  it("8. `closeOldest` ends the older of two that come at once, though it arrives first", async () => {
    const arrive = { older: deferred(), newer: deferred() };
    const decided: string[] = [];
    await using stage = await openCounted({ perUser: 1, whenUserIsFull: "closeOldest" });
    // Behind the decision about their seats.
    stage.served.io.use(({ handshake }, next) => {
      const name = handshake.auth["name"] as keyof typeof arrive;
      decided.push(name);
      void arrive[name].promise.then(() => next());
    });
    const older = await RawClient.open(stage.served.url);
    const newer = await RawClient.open(stage.served.url);
    older.frame('40{"user":"ann","name":"older"}');
    await vi.waitFor(() => expect(decided).toEqual(["older"]));
    const coming = newer.connect("/", { user: "ann", name: "newer" });
    await vi.waitFor(() => expect(decided).toEqual(["older", "newer"]));
    arrive.older.resolve();
    await older.closed;
    arrive.newer.resolve();
    expect((await coming).admitted).toBe(true);
    expect(stage.limits.counters().connections).toMatchObject({ open: 1, replaced: 1 });
  });

  it("of one user are refused where there are as many as they may have, of one address, too", async () => {
    await using stage = await openCounted({ perUser: 1, perIp: 3 }, { limits: { trustProxy: 1 } });
    expect(await coming(stage, { user: "ann" })).toBe("in");
    expect(await coming(stage, { user: "ann" })).toMatchObject({ code: "OVERLOADED", details: { scope: "user" } });
    expect(await coming(stage, { user: "bob" })).toBe("in");
    expect(await coming(stage)).toBe("in");
    expect(await coming(stage)).toMatchObject({ code: "OVERLOADED", details: { scope: "ip" } });
    const elsewhere = await stage.served.connect({ extraHeaders: { "x-forwarded-for": "192.0.2.1" } });
    expect(elsewhere.connected).toBe(true);
    expect(stage.limits.counters().connections).toMatchObject({ open: 4, refusedUser: 1, refusedIp: 1 });
  });

  it("9. a refused connection frees its seat, also when a later `connect` subscriber refuses or hangs", async () => {
    await using stage = await openCounted(
      { max: 1 },
      {
        ingress: { admitTimeoutMs: 300 },
        before: ({ ingress }) => {
          ingress.subscribe(
            "connect",
            ({ socket }) => {
              const { user } = socket.handshake.auth as As;
              if (user === "refused") throw new EventError("FORBIDDEN", "not you");
              return user === "hangs" ? new Promise<boolean>(() => undefined) : true;
            },
            { priority: 2_000_000 },
          );
        },
      },
    );
    for (let i = 0; i < 3; i++) {
      expect(await coming(stage, { user: "refused" })).toMatchObject({ code: "FORBIDDEN" });
      expect(await coming(stage, { user: "hangs" })).toMatchObject({ code: "TIMEOUT" });
    }
    // On transports that stay, too.
    const raw = await RawClient.open(stage.served.url);
    expect((await raw.connect("/", { user: "refused" })).admitted).toBe(false);
    expect(stage.limits.counters().connections.open).toBe(0);
    expect(await coming(stage)).toBe("in");
    expect(await coming(stage)).toMatchObject({ code: "OVERLOADED" });
    await raw[Symbol.asyncDispose]();
  });

  it("9. frees the seat of one that the application's own middleware refuses, when its transport goes or it asks again", async () => {
    await using stage = await openCounted({ max: 2 });
    stage.served.io.use(({ handshake }, next) =>
      next((handshake.auth as As).user === "mallory" ? new Error("not you") : undefined),
    );
    await using raw = await RawClient.open(stage.served.url);
    for (let i = 0; i < 5; i++) expect((await raw.connect("/", { user: "mallory" })).admitted).toBe(false);
    expect(stage.limits.counters().connections.open).toBe(1);
    raw.terminate();
    await vi.waitFor(() => expect(stage.limits.counters().connections.open).toBe(0));
  });

  it("9. take no seat when their client has gone, or has been given up, while an earlier guard was asked", async () => {
    const [asked, verdict] = [deferred(), deferred()];
    await using stage = await openCounted(
      { max: 10 },
      {
        ingress: { admitTimeoutMs: 500 },
        before: ({ ingress }) => {
          const slow = async (): Promise<boolean> => {
            asked.resolve();
            await verdict.promise;
            return true;
          };
          ingress.subscribe("connect", slow, { priority: -2_000_000, guard: true });
        },
      },
    );
    const gone = await RawClient.open(stage.served.url);
    gone.frame("40");
    await asked.promise;
    gone.terminate();
    await using stays = await RawClient.open(stage.served.url);
    expect((await stays.connect("/")).admitted).toBe(false);
    verdict.resolve();
    expect(await coming(stage)).toBe("in");
    expect(stage.limits.counters().connections.open).toBe(1);
  });

  it("of several namespaces are a user's by the one whose realtime door knows them, whichever is entered first", async () => {
    const user = ({ nsp, handshake }: Socket): string | undefined => {
      if (nsp.name !== "/") throw new Error("it is asked of its own namespace only");
      return (handshake.auth as As).user;
    };
    await using stage = await openCounted({ perUser: 1 }, { user, limits: { namespaces: ["/", "/admin"] } });
    stage.served.io.of("/admin");
    await using first = await RawClient.open(stage.served.url);
    const both = await Promise.all([first.connect("/", { user: "ann" }), first.connect("/admin")]);
    expect(both.map(({ admitted }) => admitted)).toEqual([true, true]);
    await using second = await RawClient.open(stage.served.url);
    expect((await second.connect("/admin")).admitted).toBe(true);
    expect((await second.connect("/", { user: "ann" })).admitted).toBe(false);
    expect((await second.connect("/", { user: "bob" })).admitted).toBe(true);
    expect(stage.limits.counters().connections).toMatchObject({ open: 2, refusedUser: 1 });
  });

  it("10. that have left their last namespace are closed where nothing else is limited", async () => {
    await using stage = await openCounted({ joinWithinMs: 2_000 });
    await using raw = await RawClient.connect(stage.served.url);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(raw.isClosed).toBe(false);
    raw.frame("41");
    await raw.closed;
    expect(stage.limits.counters().connections.unjoined).toBe(1);
  });

  it("9. 500 CONNECTs on one transport: one seat", { timeout: 60_000 }, async () => {
    await using stage = await openCounted(
      { max: 2 },
      { ingress: { maxNamespaces: 1_000 }, limits: { namespaces: ["/", /^\/n\d+$/] } },
    );
    await using raw = await RawClient.open(stage.served.url);
    const admissions = await Promise.all(Array.from({ length: 500 }, (_, i) => raw.connect(`/n${i}`)));
    expect(admissions.filter(({ admitted }) => admitted)).toHaveLength(500);
    expect(stage.limits.counters().connections.open).toBe(1);
    expect(await coming(stage)).toBe("in");
    expect(await coming(stage)).toMatchObject({ code: "OVERLOADED" });
    // For one namespace they end it.
    await using greedy = await RawClient.open(stage.served.url);
    for (let i = 0; i < 500; i++) greedy.sendConnect("/");
    await greedy.closed;
    await vi.waitFor(() => expect(stage.limits.counters().connections.open).toBe(2));
  });

  it("10. end that are idle by events, not by heartbeats", async () => {
    await using stage = await openCounted({ idleMs: 2_500 }, { server: { pingInterval: 20, pingTimeout: 5_000 } });
    const [idle, busy] = [await stage.enter(), await stage.enter()];
    const client = createClient(idle.socket);
    const ended = deferred<EventFailure>();
    client.onEnded(ended.resolve);
    while (stage.limits.counters().connections.idle === 0) {
      await busy.socket.emitWithAck("nobody's");
      await new Promise(setImmediate);
    }
    expect(await ended.promise).toMatchObject({ code: "TIMEOUT", details: { reason: "idle" } });
    expect(client.status.willRetry).toBe(false);
    expect(busy.socket.connected).toBe(true);
    expect(stage.limits.counters().connections.idle).toBe(1);
  });

  it("10. a transport that never joins a namespace is closed after `joinWithinMs`, and one that has left its last", async () => {
    await using stage = await openCounted({ joinWithinMs: 2_000, max: 10 }, { limits: { namespaces: ["/"] } });
    await using joined = await RawClient.connect(stage.served.url);
    await using elsewhere = await RawClient.open(stage.served.url);
    stage.served.io.of("/elsewhere");
    expect((await elsewhere.connect("/elsewhere")).admitted).toBe(true);
    await using silent = await RawClient.open(stage.served.url);
    await silent.closed;
    expect([joined.isClosed, elsewhere.isClosed]).toEqual([false, false]);
    expect(stage.limits.counters().connections.unjoined).toBe(1);
    joined.frame("41");
    await joined.closed;
    expect(elsewhere.isClosed).toBe(false);
    expect(stage.limits.counters().connections).toMatchObject({ unjoined: 2, open: 0 });
  });

  it("count those that were there before, and refuse none of them", async () => {
    await using stage = await openLimited(() => undefined);
    const before = [await stage.enter({ user: "ann" }), await stage.enter({ user: "ann" })];
    const off = stage.limits.connections({ max: 2, perUser: 1 });
    expect(before.map(({ socket }) => socket.connected)).toEqual([true, true]);
    expect(stage.limits.counters().connections.open).toBe(2);
    expect(await coming(stage)).toMatchObject({ code: "OVERLOADED", details: { scope: "server" } });
    before[0]?.socket.disconnect();
    await vi.waitFor(() => expect(stage.limits.counters().connections.open).toBe(1));
    expect(await coming(stage)).toBe("in");
    off();
    expect(await coming(stage)).toBe("in");
    expect(stage.limits.counters().connections.open).toBe(0);
  });

  it.each(["with", "without"])(
    "count those that are let in as the counting begins, and one transport of two namespaces once, %s a realtime door",
    async (how) => {
      const [asked, go] = [deferred(), deferred()];
      const alone = { limits: { realtime: undefined as never, namespaces: ["/", "/admin"] } };
      await using stage = await openLimited(
        () => undefined,
        how === "with" ? { limits: { namespaces: ["/", "/admin"] } } : alone,
      );
      stage.served.io.of("/admin");
      await using two = await RawClient.connect(stage.served.url);
      expect((await two.connect("/admin")).admitted).toBe(true);
      stage.served.io.use((_socket, next) => {
        asked.resolve();
        void go.promise.then(() => next());
      });
      await using late = await RawClient.open(stage.served.url);
      const coming = late.connect("/");
      await asked.promise;
      stage.limits.connections({ max: 2 });
      expect(stage.limits.counters().connections.open).toBe(1);
      go.resolve();
      expect((await coming).admitted).toBe(true);
      await vi.waitFor(() => expect(stage.limits.counters().connections.open).toBe(2));
      await expect(stage.served.connect()).rejects.toThrow("this server is full");
    },
  );

  it("that limit nothing ask nobody, and namespaces that are not named are not counted", async () => {
    await using stage = await openCounted({ heartbeatMs: 5 }, { limits: { namespaces: ["/"] } });
    const asks = (): unknown[] => stage.ingress.describe().filter(({ event }) => event === "connect");
    const before = asks().length;
    const off = stage.limits.connections({ max: 1, idleMs: 60_000 });
    expect(asks().length).toBe(before + 2);
    stage.ingress.subscribe("say", () => "heard", { namespace: "/elsewhere" });
    const elsewhere = await stage.served.connect({ namespace: "/elsewhere" });
    expect(await say(elsewhere)).toBe("heard");
    expect(stage.limits.counters().connections.open).toBe(0);
    off();
    off();
    expect(asks().length).toBe(before);
  });

  it("whose user logs out are the user's no more, unless one of its sockets that is coming in says otherwise", async () => {
    const [asked, go] = [deferred(), deferred()];
    await using stage = await openCounted({ perUser: 1, heartbeatMs: 10 }, { limits: { namespaces: ["/", "/slow"] } });
    stage.served.io.of("/slow").use((_socket, next) => {
      asked.resolve();
      void go.promise.then(() => next());
    });
    await using raw = await RawClient.open(stage.served.url);
    expect((await raw.connect("/", { user: "ann" })).admitted).toBe(true);
    const slow = raw.connect("/slow");
    await asked.promise;
    const [socket] = stage.served.io.sockets.sockets.values();
    await stage.realtime.setUser(socket!, undefined);
    expect(await coming(stage, { user: "ann" })).toMatchObject({ details: { scope: "user" } });
    go.resolve();
    expect((await slow).admitted).toBe(true);
    await vi.waitFor(async () => expect(await coming(stage, { user: "ann" })).toBe("in"));
  });

  it("free the seat of one that goes while it is asked whose it is", async () => {
    const [asked, name] = [deferred(), deferred<string>()];
    await using stage = await openCounted(
      { max: 1 },
      {
        user: ({ handshake }) => {
          if ((handshake.auth as As).user !== "slow") return undefined;
          asked.resolve();
          return name.promise;
        },
      },
    );
    const gone = await RawClient.open(stage.served.url);
    gone.frame('40{"user":"slow"}');
    await asked.promise;
    gone.terminate();
    await vi.waitFor(() => expect(stage.limits.counters().connections.open).toBe(0));
    name.resolve("ann");
    expect(await coming(stage)).toBe("in");
    expect(stage.limits.counters().connections.open).toBe(1);
  });

  it("that are idle end in all their namespaces, also in one that they still ask to enter", async () => {
    const asked = deferred();
    await using stage = await openCounted(
      { idleMs: 2_000, perUser: 5, heartbeatMs: 10 },
      {
        limits: { namespaces: ["/", "/slow"] },
        before: ({ ingress }) => {
          const think = (): Promise<boolean> => {
            asked.resolve();
            return new Promise(() => undefined);
          };
          ingress.subscribe("connect", think, { namespace: "/slow" });
        },
      },
    );
    await using raw = await RawClient.open(stage.served.url);
    expect((await raw.connect("/")).admitted).toBe(true);
    void raw.connect("/slow").catch(() => undefined);
    await asked.promise;
    await raw.closed;
    expect(stage.limits.counters().connections).toMatchObject({ open: 0, idle: 1 });
  });

  it("of a user who logs in on an open connection count for that user", async () => {
    await using stage = await openCounted({ perUser: 1, heartbeatMs: 600_000 });
    const guest = stage.served.serverSide((await stage.enter()).socket);
    for (const [now, other] of [
      ["ann", "bob"],
      ["bob", "ann"],
    ] as const) {
      await stage.realtime.setUser(guest, now);
      expect(await coming(stage, { user: now })).toMatchObject({ details: { scope: "user" } });
      expect(await coming(stage, { user: other })).toBe("in");
    }
  });

  it("without a realtime door are counted by node, and end all the same", async () => {
    const options: LimitsOptions = {};
    await using stage = await openCounted(
      { max: 1, idleMs: 2_000 },
      { limits: { ...options, realtime: undefined as never } },
    );
    const only = await stage.served.connect();
    const over = new Promise<string>((resolve) => only.once("disconnect", resolve));
    expect(await coming(stage)).toMatchObject({ code: "OVERLOADED" });
    expect(await over).toBe("io server disconnect");
    expect(await coming(stage)).toBe("in");
  });
});

describe("connections of two nodes", () => {
  const twoNodes = async (
    options: ConnectionOptions,
  ): Promise<readonly [Stage, Stage, { partition(): () => void }]> => {
    const cluster = memoryCluster();
    const node = (): Promise<Stage> => openCounted(options, { server: { adapter: cluster.adapter } });
    return [await node(), await node(), cluster];
  };

  it("8. that come at once are exactly as many as there are seats", { timeout: 60_000 }, async () => {
    const [one, two] = await twoNodes({ max: 50 });
    await using _one = one;
    await using _two = two;
    const { inside, refused } = await crowd([one, two], 120);
    expect(inside).toBe(50);
    expect(refused).toHaveLength(70);
    expect([one, two].reduce((sum, { limits }) => sum + limits.counters().connections.open, 0)).toBe(50);
  });

  it("of one user count together, and the oldest is on whichever node it is", async () => {
    const [one, two] = await twoNodes({ perUser: 1, whenUserIsFull: "closeOldest" });
    await using _one = one;
    await using _two = two;
    const old = await one.enter({ user: "ann" });
    const client = createClient(old.socket);
    const ended = deferred<EventFailure>();
    client.onEnded(ended.resolve);
    const young = await two.enter({ user: "ann" });
    expect(await ended.promise).toMatchObject({ code: "CONFLICT", details: { reason: "replaced" } });
    expect(young.socket.connected).toBe(true);
    expect(one.limits.counters().connections).toMatchObject({ open: 0, replaced: 1 });
    // And back again.
    await one.enter({ user: "ann" });
    await vi.waitFor(() => expect(young.socket.connected).toBe(false));
  });

  it("give back the seats of a node that goes, at once", async () => {
    const [one, two] = await twoNodes({ max: 1 });
    await using _two = two;
    expect(await coming(one)).toBe("in");
    expect(await coming(two)).toMatchObject({ details: { scope: "server" } });
    await one[Symbol.asyncDispose]();
    await vi.waitFor(async () => expect(await coming(two)).toBe("in"));
  });

  it("12. seats of a node that died are free after its heartbeat", async () => {
    const [one, two, cluster] = await twoNodes({ max: 1, heartbeatMs: 1_000 });
    await using _one = one;
    await using _two = two;
    expect(await coming(one)).toBe("in");
    expect(await coming(two)).toMatchObject({ details: { scope: "server" } });
    cluster.partition();
    expect(await coming(two)).toMatchObject({ details: { scope: "server" } });
    await vi.waitFor(async () => expect(await coming(two)).toBe("in"));
  });

  it("let in at once who is within a node's share of all, though the other node is silent", async () => {
    const [one, two, cluster] = await twoNodes({ max: 10, perUser: 4 });
    await using _one = one;
    await using _two = two;
    for (const node of [one, two]) expect(await coming(node)).toBe("in");
    cluster.partition();
    using time = loopTime();
    for (let i = 0; i < 2; i++) expect(await coming(two, { user: "ann" })).toBe("in");
    // Nothing was waited for that takes three heartbeats, six seconds.
    expect(time.ms).toBeLessThan(5_000);
  });

  it("that could not hear each other know each other's seats again", async () => {
    const [one, two, cluster] = await twoNodes({ max: 2, heartbeatMs: 100 });
    await using _one = one;
    await using _two = two;
    /** Whether one more is refused; one that is let in goes again. */
    const isFull = async ({ served }: Stage): Promise<boolean> => {
      const more = await served.connect().catch(() => undefined);
      more?.disconnect();
      return more === undefined;
    };
    const join = cluster.partition();
    const first = await one.served.connect();
    expect(await coming(two)).toBe("in");
    expect(await isFull(one)).toBe(false);
    join();
    for (const node of [one, two]) await vi.waitFor(async () => expect(await isFull(node)).toBe(true));
    first.disconnect();
    for (const node of [one, two]) await vi.waitFor(async () => expect(await isFull(node)).toBe(false));
  });
});

afterEach(() => vi.restoreAllMocks());
