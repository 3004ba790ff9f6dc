import type { Socket as ServerSocket } from "socket.io";
import { describe, expect, it } from "vitest";
import { EventError } from "socket-ingress";
import { codeOf } from "../fixtures/ingress.js";
import { RawClient } from "../fixtures/raw-client.js";
import { type As, deferred, type Door, open } from "../features/realtime/door.js";

describe("a call that was not run", () => {
  it("because too many waited is run when it is sent again under its request id", async () => {
    await using door = await open();
    const go = deferred();
    let runs = 0;
    door.ingress.subscribe(
      "pay",
      async () => {
        runs++;
        await go.promise;
        return runs;
      },
      { concurrency: 1, queueMax: 1 },
    );
    const client = await door.enter({ user: "ada" });
    const [first, second] = [client.call("r1", "pay"), client.call("r2", "pay")];
    expect(codeOf(await client.call("r3", "pay"))).toBe("OVERLOADED");
    go.resolve();
    expect([await first, await second]).toEqual([1, 2]);
    expect(await client.call("r3", "pay")).toBe(3);
    expect(await client.call("r3", "pay")).toBe(3);
  });

  it.each(["OVERLOADED", "RATE_LIMITED", "SHUTTING_DOWN", "UNAUTHENTICATED"])(
    "because it was refused with %s is asked for again",
    async (code) => {
      await using door = await open();
      let refuses = true;
      door.ingress.subscribe("pay", () => "paid", {
        use: [
          (_context, next) => {
            if (refuses) throw new EventError(code, "not now");
            return next();
          },
        ],
      });
      const client = await door.enter({ user: "ada" });
      expect(codeOf(await client.call("r1", "pay"))).toBe(code);
      expect(door.realtime.stats().keptCalls).toBe(0);
      refuses = false;
      expect(await client.call("r1", "pay")).toBe("paid");
    },
  );

  it("because nobody listened is run once somebody does", async () => {
    await using door = await open();
    const client = await door.enter({ user: "ada" });
    expect(codeOf(await client.call("r1", "pay"))).toBe("UNKNOWN_EVENT");
    door.ingress.subscribe("pay", () => "paid");
    expect(await client.call("r1", "pay")).toBe("paid");
  });

  it("leaves the failures of those that were run where they are", async () => {
    await using door = await open();
    let runs = 0;
    door.ingress.subscribe("pay", () => {
      runs++;
      throw runs === 1 ? new Error("half done") : new EventError("SOLD_OUT", "no more of these");
    });
    const client = await door.enter({ user: "ada" });
    for (const _ of [1, 2]) expect(codeOf(await client.call("r1", "pay"))).toBe("INTERNAL");
    for (const _ of [1, 2]) expect(codeOf(await client.call("r2", "pay"))).toBe("SOLD_OUT");
    expect(runs).toBe(2);
  });
});

describe("a call that is repeated while it runs", () => {
  it("waits with as many others of its connection as may run and wait, and more are OVERLOADED", async () => {
    await using door = await open({ ingress: { maxInFlight: 2, maxPending: 3 } });
    const go = deferred();
    door.ingress.subscribe("pay", () => go.promise.then(() => "paid"));
    const client = await door.enter({ user: "ada" });
    const other = await door.enter({ user: "ada" });
    const calls = Array.from({ length: 5 }, () => client.call("r1", "pay"));
    for (let i = 0; i < 5; i++) expect(codeOf(await client.call("r1", "pay"))).toBe("OVERLOADED");
    expect(codeOf(await client.call("r2", "pay"))).toBe("OVERLOADED");
    const fromElsewhere = other.call("r1", "pay");
    await client.caughtUp();
    go.resolve();
    expect(await Promise.all([...calls, fromElsewhere])).toEqual(Array.from({ length: 6 }, () => "paid"));
    expect(await client.call("r1", "pay")).toBe("paid");
    expect(door.ingress.counters.overloaded).toBe(6);
  });

  it("has its answer before a shutdown that lets its run end closes the connection", async () => {
    await using door = await open();
    const go = deferred();
    door.ingress.subscribe("pay", () => go.promise.then(() => "paid"));
    const client = await door.enter({ user: "ada" });
    const calls = [client.call("r1", "pay"), client.call("r1", "pay")];
    await client.caughtUp();
    const down = door.manager.shutdown({ graceMs: 5_000 });
    expect(codeOf(await client.call("r2", "pay"))).toBe("SHUTTING_DOWN");
    go.resolve();
    expect(await Promise.all(calls)).toEqual(["paid", "paid"]);
    expect((await down).cut).toEqual([]);
  });

  it("hears SHUTTING_DOWN before a shutdown that cuts its run closes the connection", async () => {
    await using door = await open();
    door.ingress.subscribe("pay", () => new Promise(() => undefined));
    const client = await door.enter({ user: "ada" });
    const calls = [client.call("r1", "pay"), client.call("r1", "pay")];
    await client.caughtUp();
    const down = door.manager.shutdown({ graceMs: 10 });
    for (const answer of await Promise.all(calls)) expect(codeOf(answer)).toBe("SHUTTING_DOWN");
    expect((await down).cut).toHaveLength(1);
  });
});

it("a call under a request id whose arguments are nested too deeply to be compared is INVALID_INPUT", async () => {
  await using door = await open();
  door.ingress.subscribe("say", () => "said");
  await using client = await RawClient.connect(door.served.url);
  client.emit(["ingress:request", "r1", "say"]);
  client.frame(`421["say",${"[".repeat(9_000)}${"]".repeat(9_000)}]`);
  expect(codeOf((await client.reply(1))[0])).toBe("INVALID_INPUT");
  expect(await client.call(["say", 1])).toEqual(["said"]);
});
describe("a call of nobody yet runs once, though before it is repeated", () => {
  it.each<[string, As, As, (door: Door, socket: ServerSocket) => Promise<unknown>]>([
    [
      "a login regenerates the session",
      { session: "s1" },
      { user: "ada", session: "s2" },
      (door) => door.realtime.rotateSession("s1", "s2", { user: "ada" }),
    ],
    [
      "the session is rotated for a guest",
      { session: "s1" },
      { session: "s2" },
      (door) => door.realtime.rotateSession("s1", "s2"),
    ],
    [
      "a session is said, and then a user",
      {},
      { user: "ada" },
      async (door, socket) => {
        await door.realtime.setSession(socket, "s2");
        await door.realtime.setUser(socket, "ada");
      },
    ],
  ])("%s", async (_what, before, after, change) => {
    await using door = await open();
    const [began, go] = [deferred(), deferred()];
    let runs = 0;
    door.ingress.subscribe("login", async () => {
      runs++;
      began.resolve();
      await go.promise;
      return runs;
    });
    const client = await door.enter(before);
    const first = client.call("r1", "login");
    await began.promise;
    await change(door, door.served.serverSide(client.socket));
    // Its answer may have been lost with the connection.
    const back = await door.enter(after);
    const [again, elsewhere] = [client.call("r1", "login"), back.call("r1", "login")];
    go.resolve();
    expect(await Promise.all([first, again, elsewhere])).toEqual([1, 1, 1]);
    expect(await back.call("r1", "login")).toBe(1);
  });
});
