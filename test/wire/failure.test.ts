import { describe, expect, it } from "vitest";
import { errorCodes, EventError, isFailure } from "socket-ingress";

describe("an EventError", () => {
  it("carries its code, message, details, when to retry and what led to it", () => {
    const cause = new Error("the database said so");
    const error = new EventError("CONFLICT", "taken", { details: { seat: 1 }, retryAfterMs: 0, cause });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: "EventError", code: "CONFLICT", message: "taken", retryAfterMs: 0, cause });
    expect(error.details).toEqual({ seat: 1 });
    expect("cause" in new EventError("CONFLICT", "taken")).toBe(false);
  });

  it("has a stack unless it is told to have none, and what is made after it has one again", () => {
    const frames = (error: Error): number => error.stack?.match(/\n {4}at /g)?.length ?? 0;
    const before = Error.stackTraceLimit;
    expect(frames(new EventError("FORBIDDEN", "no", { stack: false }))).toBe(0);
    expect(Error.stackTraceLimit).toBe(before);
    expect(frames(new EventError("FORBIDDEN", "no"))).toBeGreaterThan(0);
    expect(new EventError("FORBIDDEN", "no", { stack: false, details: 1 })).toMatchObject({
      message: "no",
      details: 1,
    });
  });

  it("without a stack can be made where `Error` is frozen", () => {
    const { stackTraceLimit } = Error;
    Object.defineProperty(Error, "stackTraceLimit", { writable: false });
    try {
      expect(new EventError("FORBIDDEN", "no", { stack: false }).code).toBe("FORBIDDEN");
    } finally {
      Object.defineProperty(Error, "stackTraceLimit", { writable: true, value: stackTraceLimit });
    }
  });

  it.each([
    [[""], /code must be a non-empty string, got ""/],
    [[undefined], /code must be a non-empty string, got undefined/],
    [[404], /code must be a non-empty string, got 404/],
    [["X"], /message must be a string, got undefined/],
    [["X", "x", { retryAfterMs: -1 }], /retryAfterMs must be a number of milliseconds from 0, got -1/],
    [["X", "x", { retryAfterMs: NaN }], /got NaN/],
    [["X", "x", { retryAfterMs: Infinity }], /got Infinity/],
    [["X", "x", { retryAfterMs: "1s" }], /got "1s"/],
  ])("made of %j is a TypeError that says what was expected", (args, message) => {
    const make = (): EventError => Reflect.construct(EventError, args) as EventError;
    expect(make).toThrow(TypeError);
    expect(make).toThrow(message);
  });
});

describe("isFailure", () => {
  it("knows a failure, whatever its code is and whatever else it carries", () => {
    for (const code of [...Object.keys(errorCodes), "SEAT_TAKEN"]) {
      expect(isFailure({ error: { code, message: "m", details: 1 }, more: 2 })).toBe(true);
    }
  });

  it("takes nothing else for one, and reads any value without throwing", () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const getter = Object.defineProperty({}, "error", {
      get: () => {
        throw new Error("x");
      },
    });
    const others = [undefined, null, 0, "error", [], {}, { error: null }, { error: "x" }, { error: {} }, proxy, getter];
    for (const other of [...others, { error: { code: "X" } }, { error: { code: 1, message: "m" } }]) {
      expect(isFailure(other)).toBe(false);
    }
  });
});
