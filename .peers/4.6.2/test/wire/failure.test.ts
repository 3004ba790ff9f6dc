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
