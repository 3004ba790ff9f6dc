import { describeValue } from "../../src/wire/values.js";
import { describe, expect, it, vi } from "vitest";
import { Cleanups, isOwner } from "../../src/lifecycle/cleanups.js";

function fixture() {
  const late: unknown[] = [];
  return { late, cleanups: new Cleanups((error) => late.push(error)) };
}

describe("Cleanups", () => {
  it("runs in reverse, each awaited before the next", async () => {
    const { cleanups } = fixture();
    const seen: string[] = [];
    cleanups.add(() => seen.push("first"));
    cleanups.add(async () => {
      await Promise.resolve();
      seen.push("second");
    });
    cleanups.add(() => seen.push("third"));
    expect(await cleanups.run()).toEqual([]);
    expect(seen).toEqual(["third", "second", "first"]);
    expect(cleanups.size).toBe(0);
  });

  it("runs the rest when one throws, and returns what was thrown", async () => {
    const { cleanups, late } = fixture();
    const rest = vi.fn<() => void>();
    const thrown = new Error("sync");
    cleanups.add(rest);
    cleanups.add(() => {
      throw thrown;
    });
    cleanups.add(() => Promise.reject(undefined));
    expect(await cleanups.run()).toEqual([undefined, thrown]);
    expect(rest).toHaveBeenCalledOnce();
    expect(late).toEqual([]);
  });

  it("forgets a cleanup that was undone, also while the others run", async () => {
    const { cleanups } = fixture();
    const first = vi.fn<() => void>();
    const second = vi.fn<() => void>();
    const undoFirst = cleanups.add(first);
    cleanups.add(second)();
    cleanups.add(undoFirst);
    await cleanups.run();
    undoFirst();
    expect(first).not.toHaveBeenCalled();
    expect(second).not.toHaveBeenCalled();
  });

  it("keeps a function that was added twice and undone once", async () => {
    const { cleanups } = fixture();
    const fn = vi.fn<() => void>();
    cleanups.add(fn);
    const undo = cleanups.add(fn);
    undo();
    undo();
    await cleanups.run();
    expect(fn).toHaveBeenCalledOnce();
  });

  it("shares one run between calls that overlap, and runs nothing twice", async () => {
    const { cleanups } = fixture();
    const fn = vi.fn<() => void>();
    let inner: Promise<unknown[]> | undefined;
    cleanups.add(() => {
      fn();
      inner = cleanups.run();
    });
    const outer = cleanups.run();
    expect(cleanups.run()).toBe(outer);
    await outer;
    expect(inner).toBe(outer);
    await cleanups.run();
    expect(fn).toHaveBeenCalledOnce();
  });

  it("runs what a cleanup adds in the same run", async () => {
    const { cleanups } = fixture();
    const seen: string[] = [];
    cleanups.add(() => cleanups.add(() => seen.push("added meanwhile")));
    await cleanups.run();
    expect(seen).toEqual(["added meanwhile"]);
  });

  it("runs what comes after the run at once, until it is reopened, and reports what that throws", async () => {
    const { cleanups, late } = fixture();
    await cleanups.run();
    const fn = vi.fn<() => void>();
    cleanups.add(fn);
    expect(fn).toHaveBeenCalledOnce();
    cleanups.add(() => {
      throw new Error("late");
    });
    cleanups.add(() => Promise.reject(new Error("later")));
    await vi.waitFor(() => expect(late).toEqual([new Error("late"), new Error("later")]));

    cleanups.reopen();
    const next = vi.fn<() => void>();
    cleanups.add(next);
    expect(next).not.toHaveBeenCalled();
    await cleanups.run();
    expect(next).toHaveBeenCalledOnce();
  });

  it("refuses a cleanup that is no function", () => {
    const { cleanups } = fixture();
    expect(() => cleanups.addCleanup({} as never)).toThrow(
      new TypeError("addCleanup expects a function, got an object"),
    );
    expect(cleanups.size).toBe(0);
  });
});

describe("own", () => {
  it.each([
    "close",
    "stop",
    "disconnect",
    "destroy",
    "terminate",
    "kill",
    Symbol.asyncDispose,
    Symbol.dispose,
  ] as const)("calls %s once, on the resource and without arguments", async (method) => {
    const { cleanups } = fixture();
    const calls: unknown[] = [];
    const resource = {
      [method](...args: unknown[]) {
        calls.push([this, args]);
      },
    };
    expect(cleanups.own(resource)).toBe(resource);
    await cleanups.run();
    await cleanups.run();
    expect(calls).toEqual([[resource, []]]);
  });

  it("prefers close to the other ways", async () => {
    const { cleanups } = fixture();
    const resource = { destroy: vi.fn<() => void>(), close: vi.fn<() => void>() };
    cleanups.own(resource);
    await cleanups.run();
    expect(resource.close).toHaveBeenCalledOnce();
    expect(resource.destroy).not.toHaveBeenCalled();
  });

  it("gives null and undefined back and owns nothing", () => {
    const { cleanups } = fixture();
    expect(cleanups.own(null)).toBeNull();
    expect(cleanups.own(undefined)).toBeUndefined();
    expect(cleanups.size).toBe(0);
  });

  it("refuses a resource that can't be stopped, naming it", () => {
    const { cleanups } = fixture();
    class Kettle {}
    expect(() => cleanups.own(new Kettle())).toThrow(/^own expects .*close\(\).*, got an instance of Kettle$/);
    expect(() => cleanups.own(7)).toThrow(TypeError);
    expect(cleanups.size).toBe(0);
  });
});

describe("isOwner", () => {
  it("is true of anything with an addCleanup method", () => {
    expect(isOwner(fixture().cleanups)).toBe(true);
    expect(isOwner(Object.assign(() => {}, { addCleanup() {} }))).toBe(true);
    for (const value of [null, undefined, 1, "x", {}, { addCleanup: 1 }]) expect(isOwner(value)).toBe(false);
  });
});

describe("describeValue", () => {
  it("names any value in a few words and never throws", () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const named: [unknown, string][] = [
      [null, "null"],
      [undefined, "undefined"],
      ["a", '"a"'],
      [Number.NaN, "NaN"],
      [12n, "12n"],
      [true, "true"],
      [Symbol("s"), "Symbol(s)"],
      [[], "an array"],
      [{}, "an object"],
      [Object.create(null), "an object"],
      [new Map(), "an instance of Map"],
      [() => {}, "a function"],
      [fixture, "the function fixture"],
      [proxy, "an object"],
    ];
    for (const [value, words] of named) expect(describeValue(value)).toBe(words);
    expect(describeValue("x".repeat(500))).toHaveLength(63);
  });
});
