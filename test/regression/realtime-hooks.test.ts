import { Adapter } from "socket.io-adapter";
import * as msgpack from "socket.io-msgpack-parser";
import { describe, expect, it } from "vitest";
import { EventError } from "socket-ingress";
import { group, Realtime, topic, user, type Memberships, type Place } from "socket-ingress/realtime";
import { memoryCluster } from "socket-ingress/testing";
import { deferred, open } from "../features/realtime/door.js";
import { unhandledDuring } from "../fixtures/unhandled.js";

const never = new Promise<never>(() => undefined);
const code = (reply: unknown): unknown => (reply as { error?: { code?: unknown } }).error?.code;

describe("a policy that never settles", () => {
  it("does not keep the topic from being joined again once its caller was told TIMEOUT", async () => {
    await using door = await open({ ingress: { timeoutMs: 50 } });
    let asked = 0;
    door.realtime.topics.define("t", { join: () => (++asked === 1 ? never : undefined) });
    const client = await door.enter();
    expect(code(await client.join("t"))).toBe("TIMEOUT");
    expect(await client.join("t")).toEqual({});
    expect(asked).toBe(2);
  });

  it("does not keep the topic from being joined again once it was left", async () => {
    await using door = await open({ ingress: { timeoutMs: 300 } });
    const arrived = deferred();
    let asked = 0;
    door.realtime.topics.define("t", {
      join: () => {
        arrived.resolve();
        return ++asked === 1 ? never : undefined;
      },
    });
    const client = await door.enter();
    const first = client.join("t");
    await arrived.promise;
    await client.leave("t");
    expect(await client.join("t")).toEqual({});
    await first;
  });

  it("takes no place of the limit once its caller was told TIMEOUT", async () => {
    await using door = await open({ ingress: { timeoutMs: 50 }, topicsPerSocket: 1 });
    door.realtime.topics.define("hangs", { join: () => never });
    door.realtime.topics.define("open", { public: true });
    const client = await door.enter();
    expect(code(await client.join("hangs"))).toBe("TIMEOUT");
    expect(await client.join("open")).toEqual({});
  });
});

describe("who a topic is delivered to while its policy is asked again", () => {
  it("is not the next user of the connection, before the policy has let that one in", async () => {
    await using door = await open();
    const thinking = deferred();
    let asked = 0;
    door.realtime.topics.define("secret:{of}", {
      join: async () => {
        if (++asked === 1) return;
        await thinking.promise;
        throw new EventError("FORBIDDEN", "not yours");
      },
    });
    const client = await door.enter({ user: "ada" });
    await client.join("secret:ada");
    const changed = door.realtime.setUser(door.served.serverSide(client.socket), "mallory");
    await door.realtime.emitSocket("diary", 1, topic("secret:ada"));
    await client.caughtUp();
    expect(client.got("diary")).toEqual([]);
    thinking.resolve();
    await changed;
  });
});

describe("a `user` function that never settles", () => {
  it("does not let the events of the connection run as nobody's", async () => {
    await using door = await open({ ingress: { timeoutMs: 50 }, user: () => never });
    door.ingress.subscribe("whoami", ({ socket }) => door.realtime.identify(socket).user ?? "nobody");
    const socket = door.served.client();
    const gone = new Promise<string>((resolve) => socket.once("disconnect", () => resolve("disconnected")));
    socket.connect();
    const ran = socket
      .timeout(20_000)
      .emitWithAck("whoami")
      .catch(() => "no answer") as Promise<string>;
    expect(await Promise.race([gone, ran])).toBe("disconnected");
  });

  it("does not leave a recovered connection in topics nobody was asked about", async () => {
    let hang = false;
    await using door = await open({
      server: { connectionStateRecovery: {} },
      ingress: { timeoutMs: 50 },
      user: ({ handshake }) => (hang ? never : (handshake.auth["user"] as string)),
    });
    let allowed = true;
    door.realtime.topics.define("t", { join: () => allowed });
    const client = await door.enter(
      { user: "ada" },
      { reconnection: true, reconnectionDelay: 1, reconnectionDelayMax: 5 },
    );
    await client.join("t");
    await door.realtime.emitSocket("offset", 0, user("ada"));
    await client.next("offset");
    allowed = false;
    hang = true;
    const over = deferred();
    const back = new Promise<void>((resolve) => {
      client.socket.once("connect", () => {
        client.socket.once("disconnect", () => over.resolve());
        resolve();
      });
    });
    client.socket.io.engine.close();
    await back;
    expect(client.socket.recovered).toBe(true);
    // Whose it is can't be told in time.
    await over.promise;
    expect(await door.realtime.emitSocket("news", 1, topic("t"), { count: true })).toMatchObject({ sockets: 0 });
    expect(client.got("news")).toEqual([]);
  });
});

describe("a store of memberships that takes its time", () => {
  it("does not undo what was enrolled while a connection was taken in", async () => {
    const places: { promise: Promise<readonly Place[]>; resolve: (value: readonly Place[]) => void }[] = [];
    const asked = [deferred(), deferred()];
    const memberships: Memberships = {
      add: () => undefined,
      remove: () => undefined,
      members: () => [],
      places: () => {
        const answer = deferred<readonly Place[]>();
        places.push(answer);
        asked[places.length - 1]?.resolve();
        return answer.promise;
      },
    };
    await using door = await open({ memberships });
    const entering = door.enter({ user: "ada" });
    await asked[0]?.promise;
    places[0]?.resolve([]);
    await asked[1]?.promise;
    // Read before, told after.
    await door.realtime.enroll(group("g"), "ada");
    places[1]?.resolve([]);
    const ada = await entering;
    await door.realtime.sendTo(group("g"), 1, { event: "hello" });
    await ada.caughtUp();
    expect(ada.got("ingress:notify")).toEqual([{ event: "hello", data: 1 }]);
  });
});

/** What an ORM's query is: a promise by its type and members, and no instance of the engine's own class. */
class Query<T> implements Promise<T> {
  readonly [Symbol.toStringTag] = "Query";
  readonly #promise: Promise<T>;
  constructor(promise: Promise<T>) {
    this.#promise = promise;
  }
  then: Promise<T>["then"] = (...args) => this.#promise.then(...args);
  catch: Promise<T>["catch"] = (...args) => this.#promise.catch(...args);
  finally: Promise<T>["finally"] = (...args) => this.#promise.finally(...args);
}

describe("a promise that is no instance of Promise", () => {
  it("does for the user of a socket", async () => {
    await using door = await open({ user: () => new Query(Promise.resolve("ada")) });
    const client = await door.enter();
    expect(door.realtime.identify(door.served.serverSide(client.socket)).user).toBe("ada");
  });

  it("does for the places of a user", async () => {
    const memberships: Memberships = {
      add: () => undefined,
      remove: () => undefined,
      members: () => new Query(Promise.resolve(["ada"])),
      places: () => new Query(Promise.resolve([{ kind: "group" as const, id: "g" }])),
    };
    await using door = await open({ memberships });
    const ada = await door.enter({ user: "ada" });
    await door.realtime.sendTo(group("g"), 1);
    await ada.caughtUp();
    expect(ada.got("ingress:notify")).toEqual([{ data: 1 }]);
  });
});

describe("long times", () => {
  it("a dropout that is watched for a month does not happen at once", async () => {
    await using door = await open();
    const ran = deferred<string>();
    const off = door.realtime.watchForDropout("ada", () => ran.resolve("ran"), 30 * 24 * 3_600_000);
    const later = new Promise<string>((resolve) => setTimeout(resolve, 100, "not yet"));
    expect(await Promise.race([ran.promise, later])).toBe("not yet");
    off();
  });

  it.each([{ graceMs: 2 ** 31 }, { heartbeatMs: 2 ** 31 }])(
    "%j, which no timer of Node can count, is refused",
    (presence) => {
      expect(() => new Realtime({ presence })).toThrow(TypeError);
    },
  );
});

describe("a call during which the connection ends", () => {
  it("takes no place among the answers that are kept for others", async () => {
    await using door = await open({ calls: { maxTotal: 3 } });
    let runs = 0;
    door.ingress.subscribe("bye", ({ socket }) => void socket.disconnect());
    door.ingress.subscribe("pay", () => ++runs);
    for (let round = 0; round < 3; round++) {
      const client = await door.enter();
      const gone = new Promise((resolve) => client.socket.once("disconnect", resolve));
      client.socket.emit("ingress:request", "r1", "bye");
      client.socket.emit("bye", () => undefined);
      await gone;
    }
    const [ada, bob] = [await door.enter({ user: "ada" }), await door.enter({ user: "bob" })];
    await ada.call("r1", "pay");
    await bob.call("r1", "pay");
    await ada.call("r1", "pay");
    expect({ runs, kept: door.realtime.stats().keptCalls }).toEqual({ runs: 2, kept: 3 });
  });
});

describe("data that only the parser knows it can't encode, with an adapter for several nodes,", () => {
  const pushing = (parser: object | undefined, data: unknown): Promise<unknown[]> =>
    unhandledDuring(async () => {
      const { adapter } = memoryCluster();
      await using door = await open({ server: { adapter, ...(parser && { parser: parser as never }) } });
      await door.realtime.emitSocket("x", data);
    });

  it("is no unhandled rejection: a boxed BigInt", async () => {
    expect(await pushing(undefined, { n: Object(1n) as unknown })).toEqual([]);
  });

  it("is no unhandled rejection: a symbol, with the MessagePack parser", async () => {
    expect(await pushing(msgpack, { s: Symbol("s") })).toEqual([]);
  });
});

/** Socket.IO's own adapter, until told to fail. */
class Failing extends Adapter {
  static fails: "addAll" | "del" | undefined;
  override addAll(id: string, rooms: Set<string>): Promise<void> | void {
    if (Failing.fails === "addAll") return Promise.reject(new Error("the adapter is broken"));
    return super.addAll(id, rooms);
  }
  override del(id: string, room: string): Promise<void> | void {
    if (Failing.fails === "del") return Promise.reject(new Error("the adapter is broken"));
    return super.del(id, room);
  }
}

describe("an adapter whose promises reject", () => {
  it.each(["addAll", "del"] as const)("in %s makes no unhandled rejection", async (method) => {
    const seen = await unhandledDuring(async () => {
      Failing.fails = undefined;
      await using door = await open({ server: { adapter: Failing } });
      door.realtime.topics.define("t", { public: true });
      const client = await door.enter({ user: "ada" });
      await client.join("t");
      Failing.fails = method;
      await client.leave("t");
      await door.realtime.setUser(door.served.serverSide(client.socket), "bob").catch(() => undefined);
      Failing.fails = undefined;
    });
    expect(seen).toEqual([]);
  });
});

describe("what a policy says too late", () => {
  it("of one user does not take the topic from the next user of the connection", async () => {
    await using door = await open({ ingress: { timeoutMs: 50 } });
    const late = deferred<boolean>();
    let asked = 0;
    door.realtime.topics.define("t", { join: () => (++asked === 2 ? late.promise : undefined) });
    const client = await door.enter({ user: "ada" });
    expect(await client.join("t")).toEqual({});
    expect(code(await client.join("t"))).toBe("TIMEOUT");
    await door.realtime.setUser(door.served.serverSide(client.socket), "bob");
    late.resolve(false);
    await client.caughtUp();
    expect(client.got("ingress:evicted")).toEqual([]);
    expect(await door.realtime.count(topic("t"))).toMatchObject({ sockets: 1 });
  });

  it("about a connection that was recovered meanwhile does not touch what it is in now", async () => {
    await using door = await open({ server: { connectionStateRecovery: {} }, ingress: { timeoutMs: 50 } });
    const late = deferred<boolean>();
    let asked = 0;
    door.realtime.topics.define("t", { join: () => (++asked === 2 ? late.promise : undefined), presence: true });
    const client = await door.enter(
      { user: "ada" },
      { reconnection: true, reconnectionDelay: 1, reconnectionDelayMax: 5 },
    );
    await client.join("t");
    expect(code(await client.join("t"))).toBe("TIMEOUT");
    await door.realtime.emitSocket("offset", 0, user("ada"));
    await client.next("offset");
    const back = new Promise<void>((resolve) => client.socket.once("connect", resolve));
    client.socket.io.engine.close();
    await back;
    expect(client.socket.recovered).toBe(true);
    await client.caughtUp();
    late.resolve(false);
    await client.caughtUp();
    expect(await door.realtime.count(topic("t"))).toMatchObject({ sockets: 1 });
    expect(door.realtime.list("t")).toEqual([{ user: "ada" }]);
  });

  it("is asked for once, also of a thenable that asks its database at each `then`", async () => {
    await using door = await open();
    let queries = 0;
    const query: PromiseLike<boolean> = {
      then: (done, failed) => {
        queries++;
        return Promise.resolve(true).then(done, failed);
      },
    };
    door.realtime.topics.define("t", { join: () => query });
    const client = await door.enter();
    for (let n = 1; n <= 3; n++) {
      expect(await client.join("t")).toEqual({});
      expect(queries).toBe(n);
    }
  });
});
