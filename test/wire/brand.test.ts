import { expect, it, vi } from "vitest";
import { EventFailure } from "../../src/client/event-failure.js";
import { EventError, isEventError } from "../../src/wire/event-error.js";
import { toFailure } from "../../src/wire/to-failure.js";

/** The same modules again, as a second copy of the package in one process has them. */
async function secondCopy() {
  vi.resetModules();
  const { EventError: Refusal } = await import("../../src/wire/event-error.js");
  const { EventFailure: Failed } = await import("../../src/client/event-failure.js");
  expect(Refusal).not.toBe(EventError);
  expect(Failed).not.toBe(EventFailure);
  return { Refusal, Failed };
}

it("an EventError of another copy of the package is one, and is answered as it was written", async () => {
  const { Refusal } = await secondCopy();
  const thrown = new Refusal("NOT_FOUND", "no such room", { retryAfterMs: 5 });
  expect(isEventError(thrown)).toBe(true);
  expect(thrown).toBeInstanceOf(EventError);
  expect(new EventError("CONFLICT", "again")).toBeInstanceOf(Refusal);
  expect(toFailure(thrown)).toEqual({
    error: { code: "NOT_FOUND", message: "no such room", details: { retryAfterMs: 5 } },
  });
});

it("an EventFailure of another copy of the client is one", async () => {
  const { Failed } = await secondCopy();
  expect(new Failed("TIMEOUT", "too late")).toBeInstanceOf(EventFailure);
  expect(new EventFailure("TIMEOUT", "too late")).toBeInstanceOf(Failed);
});

it("a subclass is told from its base, its copies and its siblings", async () => {
  const { Refusal } = await secondCopy();
  class Denied extends EventError {}
  class Missing extends EventError {}
  const denied = new Denied("FORBIDDEN", "not you");
  expect(denied).toBeInstanceOf(Denied);
  expect(denied).toBeInstanceOf(EventError);
  expect(denied).toBeInstanceOf(Refusal);
  expect(denied).not.toBeInstanceOf(Missing);
  expect(new EventError("FORBIDDEN", "not you")).not.toBeInstanceOf(Denied);
  expect(new Refusal("FORBIDDEN", "not you")).not.toBeInstanceOf(Denied);
});

it("what only looks like one is none", () => {
  const { proxy, revoke } = Proxy.revocable(new EventError("CONFLICT", "again"), {});
  revoke();
  const lookalikes = [undefined, null, "EventError", new Error("no"), { name: "EventError", code: "A", message: "b" }];
  expect([...lookalikes, proxy].filter(isEventError)).toEqual([]);
  expect(lookalikes.filter((value) => value instanceof EventError)).toEqual([]);
  expect(new EventFailure("TIMEOUT", "too late")).not.toBeInstanceOf(EventError);
});

it("the mark is seen by nobody who logs or compares one", () => {
  const error = new EventError("CONFLICT", "again");
  expect(Reflect.ownKeys(error).filter((key) => typeof key === "symbol")).toEqual([]);
  expect(Object.keys(EventError)).toEqual([]);
});
