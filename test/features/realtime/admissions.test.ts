import { describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { EventError } from "socket-ingress";
import { topic, user, type LeftContext } from "socket-ingress/realtime";
import { codeOf } from "../../fixtures/ingress.js";
import { deferred, open, type Client } from "./door.js";

type Left = Pick<LeftContext, "user" | "session" | "topic" | "reason" | "grant">;

const leftOf = ({ user, session, topic, reason, grant }: LeftContext): Left => ({
  user,
  session,
  topic,
  reason,
  grant,
});
const joinAll = (client: Client, topics: unknown[], at: unknown = null): Promise<{ answers: unknown[] }> =>
  client.socket.timeout(20_000).emitWithAck("ingress:join", topics, at) as Promise<{ answers: unknown[] }>;

describe("whose a socket is", () => {
  it("is given to every function of a topic, with the topic's name", async () => {
    await using door = await open();
    const given: unknown[] = [];
    const note =
      <Result>(result: Result) =>
      (context: { user?: string | undefined; session?: string | undefined; topic: string }): Result => {
        given.push([context.user, context.session, context.topic]);
        return result;
      };
    door.realtime.topics.define("room:{id}", {
      join: note("write"),
      snapshot: note({ n: 1 }),
      variant: note("admin"),
      presence: note({ name: "Ada" }),
    });
    const client = await door.enter({ user: "ada", session: "s1" });
    expect(await client.join("room:1")).toEqual({
      snapshot: { n: 1 },
      presence: { version: expect.anything(), state: [{ user: "ada", info: { name: "Ada" } }] },
    });
    expect(given).toEqual(Array.from({ length: 4 }, () => ["ada", "s1", "room:1"]));
  });

  it.each(["a login", "a logout", "a rotation", "a rotation of the session alone"])(
    "is decided anew after %s: the old identity gets nothing",
    async (what) => {
      await using door = await open();
      const left = vi.fn<(left: Left) => void>();
      door.realtime.topics.define("mine", {
        join: ({ user: id, session }) => id === "ada" && session === "s1" && { of: id },
        left: (context) => left(leftOf(context)),
      });
      const client = await door.enter({ user: "ada", session: "s1" });
      const socket = door.served.serverSide(client.socket);
      expect(await client.join("mine")).toEqual({});
      if (what === "a login") await door.realtime.setUser(socket, "grace");
      if (what === "a logout") await door.realtime.setUser(socket, undefined);
      if (what === "a rotation") await door.realtime.rotateSession("s1", undefined, { user: null });
      if (what === "a rotation of the session alone") await door.realtime.setSession(socket, "s2");
      await door.realtime.emitSocket("news", 1, topic("mine"));
      await client.caughtUp();
      expect(client.got("news")).toEqual([]);
      expect(client.got("ingress:evicted")).toMatchObject([{ topic: "mine", code: "FORBIDDEN" }]);
      expect(codeOf(await client.join("mine"))).toBe("FORBIDDEN");
      expect(door.realtime.grantOf(socket, "mine")).toBeUndefined();
      expect(left.mock.calls).toEqual([
        [{ user: "ada", session: "s1", topic: "mine", reason: "refused", grant: { of: "ada" } }],
      ]);
    },
  );

  it("is decided anew for a connection that was recovered", async () => {
    await using door = await open({ server: { connectionStateRecovery: {} } });
    const left: unknown[] = [];
    let allowed = true;
    door.realtime.topics.define("t", { join: () => allowed, left: ({ reason }) => left.push(reason) });
    const client = await door.enter(
      { user: "ada" },
      { reconnection: true, reconnectionDelay: 1, reconnectionDelayMax: 5 },
    );
    await client.join("t");
    await door.realtime.emitSocket("offset", 0, user("ada"));
    await client.next("offset");
    const back = new Promise<void>((resolve) => client.socket.once("connect", resolve));
    client.socket.io.engine.close();
    await back;
    expect(client.socket.recovered).toBe(true);
    await client.caughtUp();
    // It was let in a second time.
    expect(left).toEqual(["disconnected"]);
    expect(door.realtime.grantOf(door.served.serverSide(client.socket), "t")).toBe(true);
    allowed = false;
    const again = new Promise<void>((resolve) => client.socket.once("connect", resolve));
    client.socket.io.engine.close();
    await again;
    await client.caughtUp();
    await door.realtime.emitSocket("news", 1, topic("t"));
    await client.caughtUp();
    expect(client.got("news")).toEqual([]);
    // The second admission ended with its connection; there was no third.
    expect(left).toEqual(["disconnected", "disconnected"]);
  });

  it("is known before a socket joins that was there before the door", async () => {
    const whose = deferred<string>();
    await using door = await open({
      user: ({ handshake }) => ((handshake.auth as { user: string }).user === "late" ? whose.promise : "early"),
      before: (manager, realtime) => void realtime.topics.define("t", { join: ({ user: id }) => id === "ada" }),
    });
    const client = await door.enter({ user: "early" });
    await door.realtime.teardown();
    client.socket.auth = { user: "late" };
    door.served.serverSide(client.socket).handshake.auth = { user: "late" };
    const up = door.realtime.setup();
    const joined = client.join("t");
    await client.caughtUp();
    whose.resolve("ada");
    expect(await joined).toEqual({});
    await up;
  });

  it("does not wait for a store of memberships that hangs", async () => {
    const never = new Promise<never>(() => undefined);
    let hangs = false;
    await using door = await open({
      memberships: {
        add: () => undefined,
        remove: () => undefined,
        members: () => [],
        places: () => (hangs ? never : []),
      },
    });
    door.realtime.topics.define("t", { public: true });
    const client = await door.enter({ user: "ada" });
    await client.join("t");
    hangs = true;
    void door.realtime.setUser(door.served.serverSide(client.socket), "grace");
    await vi.waitFor(async () => expect(await door.realtime.count(topic("t"))).toMatchObject({ sockets: 1 }));
  });
});

describe("an admission", () => {
  it("grants what `join` returns, which the server can look up, as it can the topics of a socket", async () => {
    await using door = await open();
    let grant: unknown = "read";
    door.realtime.topics.define("doc:{id}", { join: () => grant });
    door.realtime.topics.define("lobby", { public: true });
    const client = await door.enter();
    const socket = door.served.serverSide(client.socket);
    expect(await client.join("doc:1")).toEqual({});
    await client.join("lobby");
    expect(door.realtime.grantOf(socket, "doc:1")).toBe("read");
    expect(door.realtime.grantOf(socket, "lobby")).toBe(true);
    expect(door.realtime.grantOf(socket, "doc:2")).toBeUndefined();
    expect(door.realtime.topicsOf(socket)).toEqual(["doc:1", "lobby"]);
    grant = "write";
    await client.join("doc:1");
    expect(door.realtime.grantOf(socket, "doc:1")).toBe("write");
    await client.leave("doc:1");
    expect(door.realtime.grantOf(socket, "doc:1")).toBeUndefined();
    expect(door.realtime.topicsOf(socket)).toEqual(["lobby"]);
  });

  it.each<[LeftContext["reason"], (client: Client, door: Awaited<ReturnType<typeof open>>) => unknown]>([
    ["left", (client) => client.leave("t")],
    ["evicted", (_client, door) => door.realtime.revoke("ada")],
    ["disconnected", (client) => void client.socket.disconnect()],
    ["closed", (_client, door) => door.realtime.teardown()],
  ])("ends in exactly one `left`: %s", async (reason, end) => {
    await using door = await open();
    const told = deferred<Left>();
    const left = vi.fn<(context: LeftContext, params: object) => void>((context) => told.resolve(leftOf(context)));
    door.realtime.topics.define("{t}", { join: () => 7, left });
    const client = await door.enter({ user: "ada", session: "s" });
    await client.join("t");
    await client.join("t");
    await end(client, door);
    expect(await told.promise).toEqual({ user: "ada", session: "s", topic: "t", reason, grant: 7 });
    await door[Symbol.asyncDispose]();
    expect(left).toHaveBeenCalledOnce();
    expect(left.mock.calls[0]?.[1]).toEqual({ t: "t" });
  });

  it("that a later join is refused ends as refused, and one that was never given in nothing", async () => {
    await using door = await open();
    const reasons: string[] = [];
    let allowed = false;
    door.realtime.topics.define("t", { join: () => allowed, left: ({ reason }) => reasons.push(reason) });
    const client = await door.enter();
    await client.join("t");
    expect(reasons).toEqual([]);
    allowed = true;
    await client.join("t");
    allowed = false;
    await client.join("t");
    expect(reasons).toEqual(["refused"]);
  });

  it("whose `left` fails is over all the same, and logged", async () => {
    await using door = await open();
    door.realtime.topics.define("throws", {
      public: true,
      left: () => {
        throw new Error("no");
      },
    });
    door.realtime.topics.define("rejects", { public: true, left: () => Promise.reject(new Error("no")) });
    const client = await door.enter();
    for (const name of ["throws", "rejects"]) {
      await client.join(name);
      expect(await client.leave(name)).toEqual({});
    }
    await client.caughtUp();
    expect(door.log.lines.filter(({ level }) => level === "error").map(({ message }) => message)).toEqual(
      Array(2).fill("`left` of a topic failed"),
    );
  });
});

describe("what a join says", () => {
  const input = z.object({ draft: z.boolean().default(false) });

  it("is validated, and given to the functions of the topic as the schema reads it", async () => {
    await using door = await open();
    const given: unknown[] = [];
    door.realtime.topics.define("doc:{id}", {
      input,
      join: (_context, _params, { draft }) => void given.push(draft),
      snapshot: (_context, _params, said) => said,
    });
    const client = await door.enter();
    expect(await client.join({ topic: "doc:1", input: { draft: true, more: 1 } })).toEqual({
      snapshot: { draft: true },
    });
    expect(await client.join({ topic: "doc:2", input: {} })).toEqual({ snapshot: { draft: false } });
    expect(given).toEqual([true, false]);
    expect(await client.join({ topic: "doc:1", input: { draft: "yes" } })).toMatchObject({
      error: { code: "INVALID_INPUT", details: { issues: [{ path: ["draft"] }] } },
    });
    expect(codeOf(await client.join("doc:3"))).toBe("INVALID_INPUT");
  });

  it("counts when the policy is asked again, too", async () => {
    await using door = await open();
    const given: unknown[] = [];
    door.realtime.topics.define("doc", { input, join: ({ user: id }, _params, said) => void given.push([id, said]) });
    const client = await door.enter({ user: "ada" });
    await client.join({ topic: "doc", input: { draft: true } });
    await door.realtime.setUser(door.served.serverSide(client.socket), "grace");
    expect(given).toEqual([
      ["ada", { draft: true }],
      ["grace", { draft: true }],
    ]);
  });

  it("is bounded", async () => {
    await using door = await open();
    door.realtime.topics.define("doc", { input: z.any(), join: () => true });
    const client = await door.enter();
    expect(codeOf(await client.join({ topic: "doc", input: "x".repeat(20_000) }))).toBe("INVALID_INPUT");
  });

  it("is ignored by a topic that takes nothing", async () => {
    await using door = await open();
    const given: unknown[] = [];
    door.realtime.topics.define("t", { join: (_context, _params, said) => void given.push(said) });
    const client = await door.enter();
    expect(await client.join({ topic: "t", input: 5 })).toEqual({});
    expect(given).toEqual([undefined]);
  });
});

describe("several topics by one join", () => {
  it("are answered together, each for itself", async () => {
    await using door = await open();
    door.realtime.topics.define("room:{id}", { join: (_context, { id }) => id !== "no", presence: true });
    door.realtime.topics.define("broken", {
      join: () => {
        throw new Error("password=1234");
      },
    });
    door.realtime.topics.define("doc", { public: true, input: z.number(), snapshot: (_context, _params, n) => n });
    const client = await door.enter({ user: "ada" });
    const topics = ["room:1", "room:no", "broken", { topic: "doc", input: 3 }, "room:1", "nothing"];
    const { answers } = await joinAll(client, topics);
    expect(answers).toEqual([
      { presence: { version: expect.anything(), state: ["ada"] } },
      { error: { code: "FORBIDDEN", message: "you may not join this topic" } },
      { error: { code: "INTERNAL", message: "internal error" } },
      { snapshot: 3 },
      { presence: { version: expect.anything(), state: ["ada"] } },
      { error: { code: "FORBIDDEN", message: "this topic can't be joined" } },
    ]);
    expect(door.realtime.topicsOf(door.served.serverSide(client.socket))).toEqual(["room:1", "doc"]);
  });

  it("one of which is left meanwhile are the others", async () => {
    await using door = await open();
    const go = deferred();
    door.realtime.topics.define("room:{id}", { join: () => go.promise });
    const client = await door.enter();
    const joined = joinAll(client, ["room:1", "room:2"]);
    await client.leave("room:1");
    go.resolve();
    expect(await joined).toMatchObject({ answers: [{ error: { code: "CONFLICT" } }, {}] });
    expect(door.realtime.topicsOf(door.served.serverSide(client.socket))).toEqual(["room:2"]);
  });

  it("none of which was answered in time are none", async () => {
    await using door = await open({ ingress: { timeoutMs: 30 } });
    const left = vi.fn<() => void>();
    door.realtime.topics.define("quick", { public: true, left });
    door.realtime.topics.define("hangs", { join: () => new Promise(() => undefined) });
    const client = await door.enter();
    expect(codeOf(await joinAll(client, ["quick", "hangs"]))).toBe("TIMEOUT");
    expect(await door.realtime.count(topic("quick"))).toMatchObject({ sockets: 0 });
    expect(left).not.toHaveBeenCalled();
    expect(await joinAll(client, ["quick"])).toEqual({ answers: [{}], refused: [] });
  });

  it.each([
    ["no topic", []],
    ["too many", Array.from({ length: 4 }, (_, i) => `t:${i}`)],
    ["a topic that is none", ["t:1", 5]],
  ])("are refused with %s", async (_name, topics) => {
    await using door = await open({ topicsPerSocket: 3 });
    door.realtime.topics.define("t:{id}", { public: true });
    const client = await door.enter();
    expect(codeOf(await joinAll(client, topics))).toBe("INVALID_INPUT");
    expect(codeOf(await joinAll(client, ["t:1"], ["epoch", -1]))).toBe("INVALID_INPUT");
  });
});

describe("a topic that is asked for again and again", () => {
  it("is decided once for all who ask while the policy thinks, and once more for those who come later", async () => {
    await using door = await open();
    const [asked, go, taken, done] = [deferred(), deferred(), deferred(), deferred()];
    let policies = 0;
    let snapshots = 0;
    door.realtime.topics.define("t", {
      join: async () => {
        policies++;
        asked.resolve();
        await go.promise;
      },
      snapshot: async () => {
        const n = ++snapshots;
        taken.resolve();
        await done.promise;
        return n;
      },
    });
    const client = await door.enter();
    const first = Array.from({ length: 5 }, () => client.join("t"));
    await asked.promise;
    await client.caughtUp();
    go.resolve();
    await taken.promise;
    // The snapshot is older than what these ask for.
    const second = Array.from({ length: 5 }, () => client.join("t"));
    await client.caughtUp();
    done.resolve();
    expect(await Promise.all(first)).toEqual(Array.from({ length: 5 }, () => ({ snapshot: 1 })));
    expect(await Promise.all(second)).toEqual(Array.from({ length: 5 }, () => ({ snapshot: 2 })));
    expect({ policies, snapshots }).toEqual({ policies: 2, snapshots: 2 });
  });

  it("is not decided once for those who say different things", async () => {
    await using door = await open();
    const go = deferred();
    const said: unknown[] = [];
    door.realtime.topics.define("t", {
      input: z.number(),
      join: async (_context, _params, n) => {
        said.push(n);
        await go.promise;
      },
    });
    const client = await door.enter();
    const joins = [1, 1, 2, 2, 1].map((n) => client.join({ topic: "t", input: n }));
    await client.caughtUp();
    go.resolve();
    await Promise.all(joins);
    expect(said).toEqual([1, 2, 1]);
  });

  it("answers so many times, and then RATE_LIMITED, and keeps the client in", async () => {
    await using door = await open();
    door.realtime.topics.define("t", { public: true, snapshot: () => "x".repeat(1_000) });
    const client = await door.enter();
    let bytes = 0;
    let limited: unknown;
    for (let n = 0; n < 2_000; n++) {
      const reply = await client.join("t");
      bytes += JSON.stringify(reply).length;
      if (codeOf(reply) !== "RATE_LIMITED") continue;
      limited = reply;
      break;
    }
    expect(limited).toMatchObject({ error: { code: "RATE_LIMITED" } });
    expect((limited as { error: { details: { retryAfterMs: number } } }).error.details.retryAfterMs).toBeGreaterThan(0);
    expect(bytes).toBeLessThan(200_000);
    expect(await door.realtime.count(topic("t"))).toMatchObject({ sockets: 1 });
  });

  it("left in between is limited as well", async () => {
    await using door = await open();
    door.realtime.topics.define("t", { public: true });
    const client = await door.enter();
    const codes = new Set<unknown>();
    for (let n = 0; n < 2_000 && !codes.has("RATE_LIMITED"); n++) {
      codes.add(codeOf(await client.join("t")));
      await client.leave("t");
    }
    expect(codes).toContain("RATE_LIMITED");
  });
});

it("a policy's own EventError is told with its details, of one topic or of many", async () => {
  await using door = await open();
  door.realtime.topics.define("paid", {
    join: () => {
      throw new EventError("PAYMENT_REQUIRED", "pay first", { retryAfterMs: 5 });
    },
  });
  const client = await door.enter();
  const failure = { error: { code: "PAYMENT_REQUIRED", message: "pay first", details: { retryAfterMs: 5 } } };
  expect(await client.join("paid")).toEqual(failure);
  expect(await joinAll(client, ["paid"])).toEqual({ answers: [failure], refused: ["paid"] });
});
