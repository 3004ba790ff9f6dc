import { describe, expect, it } from "vitest";
import { EventError } from "socket-ingress";
import { Realtime } from "socket-ingress/realtime";
import { open, deferred, record } from "./door.js";

const code = (reply: unknown): unknown => (reply as { error?: { code?: unknown } }).error?.code;

describe("a call", () => {
  it("is answered as the event would answer, to its caller only", async () => {
    await using door = await open();
    door.ingress.subscribe("post_offer", (_context, price: number) => ({ posted: price }));
    const [caller, other] = [await door.enter(), await door.enter()];
    expect(await caller.call("r1", "post_offer", 3.5)).toEqual({ posted: 3.5 });
    await other.caughtUp();
    expect(other.events).toEqual([]);
  });

  it("passes all arguments, and null, false, 0 and nothing come back as they are", async () => {
    await using door = await open();
    door.ingress.subscribe("echo", (_context, ...args: unknown[]) => ({ args }));
    door.ingress.subscribe("value", (_context, value: unknown) => value);
    door.ingress.subscribe("nothing", () => undefined);
    const client = await door.enter();
    expect(await client.call("a", "echo", 1, "two", null, { three: 3 }, [4])).toEqual({
      args: [1, "two", null, { three: 3 }, [4]],
    });
    expect(await client.call("b", "echo")).toEqual({ args: [] });
    for (const [index, value] of [null, false, 0, ""].entries())
      expect(await client.call(`v${index}`, "value", value)).toBe(value);
    expect(await client.call("c", "nothing")).toBeUndefined();
  });

  it("with the same request id runs once, and all get the answer, at the same time or later", async () => {
    await using door = await open();
    const go = deferred();
    let runs = 0;
    door.ingress.subscribe("pay", async () => {
      runs++;
      await go.promise;
      return { receipt: runs };
    });
    const client = await door.enter({ user: "ada" });
    const calls = [client.call("r1", "pay"), client.call("r1", "pay")];
    await client.caughtUp();
    go.resolve();
    expect(await Promise.all(calls)).toEqual([{ receipt: 1 }, { receipt: 1 }]);
    expect(await client.call("r1", "pay")).toEqual({ receipt: 1 });
    expect(await client.call("r2", "pay")).toEqual({ receipt: 2 });
    expect(door.realtime.stats()).toMatchObject({ sharedCalls: 2, keptCalls: 2 });
  });

  it("that is sent again after a reconnect runs once, also when the first was still running", async () => {
    await using door = await open();
    const go = deferred();
    const started = deferred();
    let runs = 0;
    door.ingress.subscribe("pay", async () => {
      started.resolve();
      await go.promise;
      return ++runs;
    });
    const before = await door.enter({ session: "S" });
    before.socket.emit("ingress:request", "r1", "pay");
    before.socket.emit("pay", () => undefined);
    await started.promise;
    const gone = new Promise((resolve) => door.served.serverSide(before.socket).once("disconnect", resolve));
    before.socket.disconnect();
    await gone;
    const after = await door.enter({ session: "S" });
    const answer = after.call("r1", "pay");
    await after.caughtUp();
    go.resolve();
    expect(await answer).toBe(1);
    expect(runs).toBe(1);
  });

  it("of a stranger with the same request id is another call", async () => {
    await using door = await open();
    door.ingress.subscribe("secret", ({ socket }) => ({ for: door.realtime.identify(socket).user ?? socket.id }));
    const [ada, mallory, anonymous, other] = [
      await door.enter({ user: "ada" }),
      await door.enter({ user: "mallory" }),
      await door.enter(),
      await door.enter(),
    ];
    expect(await ada.call("r1", "secret")).toEqual({ for: "ada" });
    expect(await mallory.call("r1", "secret")).toEqual({ for: "mallory" });
    expect(await anonymous.call("r1", "secret")).toEqual({ for: anonymous.id });
    expect(await other.call("r1", "secret")).toEqual({ for: other.id });
    const named = await door.enter({ session: "ada" });
    expect(await named.call("r1", "secret")).toEqual({ for: named.id });
  });

  it("with the request id of another event is refused", async () => {
    await using door = await open();
    door.ingress.subscribe("one", () => 1);
    door.ingress.subscribe("two", () => 2);
    const client = await door.enter();
    await client.call("r1", "one");
    expect(code(await client.call("r1", "two"))).toBe("CONFLICT");
  });

  it("with bad arguments does not run the method and says where", async () => {
    await using door = await open();
    let runs = 0;
    door.ingress.subscribe("post_offer", () => void runs++, {
      input: {
        "~standard": {
          version: 1,
          vendor: "test",
          validate: (value: unknown) =>
            typeof value === "number" ? { value } : { issues: [{ message: "a price is a number", path: [] }] },
        },
      },
    });
    const client = await door.enter();
    expect(await client.call("r1", "post_offer", "much")).toMatchObject({
      error: { code: "INVALID_INPUT", details: { issues: [{ path: [], message: "a price is a number" }] } },
    });
    expect(runs).toBe(0);
  });

  it("whose method throws is answered with a safe code, and the socket stays open", async () => {
    await using door = await open();
    door.ingress.subscribe("breaks", () => {
      throw new Error("at /srv/app/secret.js");
    });
    door.ingress.subscribe("refuses", () => {
      throw new EventError("SOLD_OUT", "no more of these");
    });
    const client = await door.enter();
    const reply = await client.call("r1", "breaks");
    expect(code(reply)).toBe("INTERNAL");
    expect(JSON.stringify(reply)).not.toContain("secret");
    expect(await client.call("r2", "refuses")).toEqual({ error: { code: "SOLD_OUT", message: "no more of these" } });
    expect(client.socket.connected).toBe(true);
  });

  it.each<[string, unknown, string, string]>([
    ["no request id", undefined, "e", "INVALID_INPUT"],
    ["an empty request id", "", "e", "INVALID_INPUT"],
    ["a number as request id", 1, "e", "INVALID_INPUT"],
    ["a long request id", "x".repeat(129), "e", "INVALID_INPUT"],
    ["an event nobody handles", "r", "unknown", "UNKNOWN_EVENT"],
    ["__proto__", "r", "__proto__", "UNKNOWN_EVENT"],
    ["constructor", "__proto__", "constructor", "UNKNOWN_EVENT"],
    ["connection", "r", "connection", "UNKNOWN_EVENT"],
    ["error", "r", "error", "UNKNOWN_EVENT"],
  ])("of %s is refused and runs nothing", async (_name, requestId, event, expected) => {
    await using door = await open();
    const ran: string[] = [];
    for (const name of ["connect", "connection", "disconnect", "disconnecting"] as const) {
      // They take the same context; only the type of what they are told besides differs.
      door.ingress.subscribe(name as "connection", ({ event: told }) => void ran.push(told));
    }
    door.ingress.subscribe("e", () => void ran.push("e"));
    const client = await door.enter();
    ran.length = 0;
    expect(code(await client.call(requestId, event, "private:1"))).toBe(expected);
    expect(ran).toEqual([]);
  });

  it("a hundred times at once does not wait for itself", async () => {
    await using door = await open({ ingress: { maxInFlight: 10, timeoutMs: 5_000 } });
    door.ingress.subscribe("slow", async (_context, value: number) => {
      await new Promise((resolve) => setImmediate(resolve));
      return value;
    });
    const client = await door.enter();
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, index) => client.call(`r${index}`, "slow", index)),
    );
    expect(answers).toEqual(Array.from({ length: 100 }, (_, index) => index));
  });

  it("has the time limit of its event, not one of its own", async () => {
    await using door = await open({ ingress: { timeoutMs: 20 } });
    const go = deferred();
    door.ingress.subscribe("patient", () => go.promise.then(() => "done"), { timeoutMs: 5_000 });
    door.ingress.subscribe("impatient", () => new Promise(() => undefined));
    const client = await door.enter();
    const patient = client.call("r1", "patient");
    expect(code(await client.call("r2", "impatient"))).toBe("TIMEOUT");
    go.resolve();
    expect(await patient).toBe("done");
  });

  it("runs as often as it comes where calls are switched off", async () => {
    await using door = await open({ calls: false });
    let runs = 0;
    door.ingress.subscribe("e", () => ++runs);
    const client = await door.enter();
    expect([await client.call("r1", "e"), await client.call("r1", "e")]).toEqual([1, 2]);
    // And nothing of the id is looked at.
    expect([await client.call("", "e"), await client.call({ id: "r1" }, "e")]).toEqual([3, 4]);
  });

  it("runs once in each of several namespaces that have a door, whichever came last, and whatever one of them switches off", async () => {
    for (const calls of [{}, false] as const) {
      const other = new Realtime({ namespace: "/chat", calls });
      await using door = await open({ before: (manager) => void manager.registerHandler(other) });
      let runs = 0;
      door.ingress.subscribe("e", () => ++runs);
      const client = await door.enter();
      expect([await client.call("r1", "e"), await client.call("r1", "e")]).toEqual([1, 1]);
    }
  });

  it("without an acknowledgement runs, too", async () => {
    await using door = await open();
    const ran = deferred<unknown>();
    door.ingress.subscribe("e", (_context, value: unknown) => ran.resolve(value));
    const client = record(door.served.client());
    client.socket.connect();
    client.socket.emit("ingress:request", "r1", "e");
    client.socket.emit("e", 7);
    expect(await ran.promise).toBe(7);
  });

  it("is one event to beforeEvent, which is told its request id, however often it is repeated", async () => {
    await using door = await open();
    const asked: unknown[] = [];
    door.ingress.beforeEvent(({ event, requestId }) => void (event === "pay" && asked.push(requestId)));
    door.ingress.subscribe("pay", () => ({ receipt: 1 }));
    const client = await door.enter({ user: "ada" });
    const replies = [client.call("r1", "pay"), client.call("r1", "pay")];
    expect(await Promise.all(replies)).toEqual([{ receipt: 1 }, { receipt: 1 }]);
    expect(await client.call("r1", "pay")).toEqual({ receipt: 1 });
    expect(await client.socket.emitWithAck("pay")).toEqual({ receipt: 1 });
    expect(asked).toEqual(["r1", undefined]);
  });

  it("passes middleware of socket.use under its own name", async () => {
    const seen: unknown[] = [];
    await using door = await open({
      io: (io) =>
        void io.on("connection", (socket) => {
          socket.use(([event], next) => {
            seen.push(event);
            next(event === "ingress:request" || event === "banned" ? new Error("no") : undefined);
          });
        }),
    });
    let runs = 0;
    door.ingress.subscribe("pay", () => ++runs);
    const client = await door.enter({ user: "ada" });
    seen.length = 0;
    expect([await client.call("r1", "pay"), await client.call("r1", "pay")]).toEqual([1, 1]);
    expect(seen).toEqual(["ingress:request", "pay", "ingress:request", "pay"]);
  });

  it("under the same request id with other arguments, or for another event, is a CONFLICT", async () => {
    await using door = await open();
    door.ingress.subscribe("pay", (_context, amount: number) => amount);
    door.ingress.subscribe("refund", () => "refunded");
    const client = await door.enter({ user: "ada" });
    expect(await client.call("r1", "pay", 1)).toBe(1);
    expect(code(await client.call("r1", "pay", 2))).toBe("CONFLICT");
    expect(code(await client.call("r1", "refund"))).toBe("CONFLICT");
    expect(await client.call("r1", "pay", 1)).toBe(1);
  });

  it("whose method honours the signal goes on when the connection drops, and the retry gets its answer", async () => {
    await using door = await open();
    const [started, go] = [deferred(), deferred()];
    let runs = 0;
    door.ingress.subscribe("pay", async ({ signal }) => {
      runs++;
      started.resolve();
      await go.promise;
      signal.throwIfAborted();
      return "paid";
    });
    const before = await door.enter({ user: "ada" });
    before.socket.emit("ingress:request", "r1", "pay");
    before.socket.emit("pay", () => undefined);
    await started.promise;
    const gone = new Promise((resolve) => door.served.serverSide(before.socket).once("disconnect", resolve));
    before.socket.disconnect();
    await gone;
    const after = await door.enter({ user: "ada" });
    const answer = after.call("r1", "pay");
    await after.caughtUp();
    go.resolve();
    expect([await answer, runs]).toEqual(["paid", 1]);
  });

  it("that logs in is answered to who is logged in now, on a retry, without running again", async () => {
    await using door = await open();
    let runs = 0;
    door.ingress.subscribe("login", async ({ socket }, name: string) => {
      runs++;
      await door.realtime.setUser(socket, name);
      return `welcome ${name}`;
    });
    const client = await door.enter();
    expect(await client.call("r1", "login", "ada")).toBe("welcome ada");
    expect(await client.call("r1", "login", "ada")).toBe("welcome ada");
    expect(runs).toBe(1);
  });

  it("an id that was announced for another name changes nothing, and is spent by the next event of its name only", async () => {
    await using door = await open();
    let runs = 0;
    door.ingress.subscribe("pay", () => ++runs);
    door.ingress.subscribe("other", () => "other");
    const client = await door.enter({ user: "ada" });
    client.socket.emit("ingress:request", "r1", "pay");
    expect(await client.socket.emitWithAck("other")).toBe("other");
    expect(await client.socket.emitWithAck("pay")).toBe(1);
    expect(await client.socket.emitWithAck("pay")).toBe(2);
    expect(await client.call("r1", "pay")).toBe(1);
  });
});
