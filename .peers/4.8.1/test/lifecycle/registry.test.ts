import { afterEach, describe, expect, it, vi } from "vitest";
import { Cleanups } from "../../src/lifecycle/cleanups.js";
import { describeKey, Registry, token } from "../../src/lifecycle/registry.js";

class Database {
  readonly connected = true;
}
abstract class Clock {
  abstract now(): number;
}

afterEach(() => vi.useRealTimers());

describe("Registry", () => {
  it("gives back what was provided under a string, a token and a class", () => {
    const registry = new Registry();
    const clock = token<Clock>("clock");
    const db = new Database();
    const fixed = { now: () => 5 };
    registry.provide("db", db);
    registry.provide(Database, db);
    registry.provide(clock, fixed);
    expect(registry.require<Database>("db")).toBe(db);
    expect(registry.require(Database).connected).toBe(true);
    expect(registry.require(clock).now()).toBe(5);
    expect(registry.resolve(Clock)).toBeUndefined();
  });

  it("names the key when what is required was not provided, and resolves it to undefined", () => {
    const registry = new Registry();
    expect(() => registry.require("db")).toThrow('"db" is required, but nothing was provided under this key');
    expect(() => registry.require(Database)).toThrow(/^Database is required/);
    expect(() => registry.require(token("db"))).toThrow(/^token\(db\) is required/);
    expect(registry.resolve("db")).toBeUndefined();
  });

  it("does not find what every object has", () => {
    const registry = new Registry();
    for (const key of ["__proto__", "constructor", "toString"]) {
      expect(registry.resolve(key)).toBeUndefined();
      registry.provide(key, 1);
      expect(registry.require(key)).toBe(1);
    }
  });

  it("keeps two tokens of one name apart", () => {
    const registry = new Registry();
    const [first, second] = [token<number>("n"), token<number>("n")];
    registry.provide(first, 1);
    registry.provide(second, 2);
    expect([registry.require(first), registry.require(second)]).toEqual([1, 2]);
  });

  it("refuses a key that is taken, naming it, and keeps the first value", () => {
    const registry = new Registry();
    registry.provide("db", 1);
    expect(() => registry.provide("db", 2)).toThrow(/^"db" is provided already/);
    expect(registry.require("db")).toBe(1);
  });

  it("takes a value back once, so that a later one under the same key stays", () => {
    const registry = new Registry();
    const undo = registry.provide("db", 1);
    undo();
    registry.provide("db", 2);
    undo();
    expect(registry.require("db")).toBe(2);
  });

  it("lets values go with their owner, and the owner forget what was taken back", async () => {
    const registry = new Registry();
    const owner = new Cleanups(() => {});
    registry.provide("kept", 1);
    registry.provide("owned", 2, { owner });
    registry.provide("undone", 3, { owner })();
    expect(owner.size).toBe(1);
    await owner.run();
    expect(registry.resolve("owned")).toBeUndefined();
    expect(registry.resolve("kept")).toBe(1);
  });

  it("keeps nothing of an owner that is gone already", async () => {
    const registry = new Registry();
    const owner = new Cleanups(() => {});
    await owner.run();
    registry.provide("late", 1, { owner });
    expect(registry.resolve("late")).toBeUndefined();
  });

  it("keeps nothing when the owner refuses", () => {
    const registry = new Registry();
    const addCleanup = () => {
      throw new Error("no");
    };
    expect(() => registry.provide("db", 1, { owner: { addCleanup } })).toThrow("no");
    expect(registry.resolve("db")).toBeUndefined();
  });

  it("names a wrong key, a missing value and an owner that owns nothing", async () => {
    const registry = new Registry();
    for (const key of ["", "  ", 1, null, {}, undefined]) {
      expect(() => registry.provide(key as never, 1)).toThrow(
        /^provide expects a key, a name, a token or a class, got/,
      );
      expect(() => registry.require(key as never)).toThrow(TypeError);
      expect(() => registry.resolve(key as never)).toThrow(TypeError);
      await expect(registry.waitFor(key as never)).rejects.toThrow(TypeError);
    }
    expect(() => registry.provide("db", undefined)).toThrow('provide expects a value for "db", got undefined');
    expect(() => registry.provide("db", 1, { owner: {} as never })).toThrow(
      'provide expects the owner of "db" to have addCleanup(), got an object',
    );
    expect(registry.resolve("db")).toBeUndefined();
    expect(() => token(" ")).toThrow('token expects a name, got " "');
  });
});

describe("waitFor", () => {
  it("gives what is there at once, and what comes as soon as it comes, to everyone who waits", async () => {
    const registry = new Registry();
    const first = registry.waitFor<number>("db");
    const second = registry.waitFor<number>("db", { timeoutMs: Number.POSITIVE_INFINITY });
    registry.provide("db", 7);
    expect(await Promise.all([first, second, registry.waitFor("db")])).toEqual([7, 7, 7]);
  });

  it("gives up after its time, naming the key", async () => {
    vi.useFakeTimers();
    const registry = new Registry();
    const waited = registry.waitFor("db", { timeoutMs: 50 });
    const failed = waited.catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(50);
    expect(await failed).toEqual(new Error('nothing was provided under "db" within 50 ms'));
    registry.provide("db", 1);
  });

  it("gives up after 30 seconds unless told otherwise, and leaves no timer when it need not", async () => {
    vi.useFakeTimers();
    const registry = new Registry();
    const waited = registry.waitFor("db");
    expect(vi.getTimerCount()).toBe(1);
    registry.provide("db", 1);
    await waited;
    expect(vi.getTimerCount()).toBe(0);

    const failed = registry.waitFor("other").catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(await failed).toEqual(new Error('nothing was provided under "other" within 30000 ms'));
  });

  it("ends with the reason of its signal", async () => {
    vi.useFakeTimers();
    const registry = new Registry();
    const controller = new AbortController();
    const waited = registry.waitFor("db", { signal: controller.signal });
    const reason = new Error("going down");
    controller.abort(reason);
    await expect(waited).rejects.toBe(reason);
    await expect(registry.waitFor("db", { signal: controller.signal })).rejects.toBe(reason);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("refuses a time that is no time", async () => {
    const registry = new Registry();
    for (const timeoutMs of [Number.NaN, -1, "5"]) {
      await expect(registry.waitFor("db", { timeoutMs: timeoutMs as number })).rejects.toThrow(
        /^waitFor expects timeoutMs to be a number from 0 up, got/,
      );
    }
  });
});

describe("describeKey", () => {
  it("names strings, tokens and classes", () => {
    expect(describeKey("db")).toBe('"db"');
    expect(describeKey(token("db"))).toBe("token(db)");
    expect(describeKey(Database)).toBe("Database");
    expect(describeKey(class {})).toBe("an anonymous class");
  });
});
