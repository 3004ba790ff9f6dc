import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import type { Counted } from "../fixtures/counted-process.js";

// Counted, not timed: a number that is the same on a slow machine. Margins are wide; what they catch is one more promise, closure or
// copied list for each event, or anything that grows with the number of events.

let counted: Counted;

beforeAll(async () => {
  const script = fileURLToPath(new URL("../fixtures/counted-process.ts", import.meta.url));
  // A process of its own, with room for all that is made while it measures, so that nothing is collected meanwhile.
  const flags = ["--expose-gc", "--min-semi-space-size=128", "--max-semi-space-size=128", "--import", "tsx"];
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, script], {
    timeout: 280_000,
    killSignal: "SIGKILL",
  });
  counted = JSON.parse(stdout) as Counted;
}, 300_000);

describe("an event whose subscribers are synchronous", () => {
  it.each(["one", "ten", "refused"] as const)("makes no promise, no timer and no AbortController (%s)", (kind) => {
    expect(counted.dispatch[kind]).toMatchObject({ promises: 0, timers: 0, controllers: 0 });
  });

  it("allocates one small context, however many subscribers it has", () => {
    expect(counted.dispatch.one.bytes).toBeLessThan(400);
    expect(counted.dispatch.ten.bytes).toBeLessThan(400);
    expect(counted.dispatch.refused.bytes).toBeLessThan(400);
  });

  it("makes a signal only when it is read, and then one", () => {
    expect(counted.dispatch.signal).toMatchObject({ controllers: 1, promises: 0 });
    // That this is seen shows that less would be.
    expect(counted.dispatch.signal.bytes).toBeGreaterThan(400);
  });
});

describe("an event with an asynchronous subscriber", () => {
  it("makes the subscriber's own promise and few more, one timer at most, and no AbortController", () => {
    const { promises, timers, controllers } = counted.dispatch.async;
    expect(promises).toBeGreaterThanOrEqual(1);
    expect(promises).toBeLessThanOrEqual(4);
    expect(timers).toBeLessThanOrEqual(1);
    expect(controllers).toBe(0);
  });

  it("allocates less than two kilobytes", () => {
    expect(counted.dispatch.async.bytes).toBeLessThan(2_048);
  });
});

describe("a connection", () => {
  it("carries one catch-all and no listener for any event while it has sent nothing", () => {
    expect(counted.listeners.idle).toEqual({ most: 0, total: 0, any: 1 });
  });

  it("carries one listener for an event that it has sent, however many subscribers that has", () => {
    expect(counted.listeners.used).toMatchObject({ most: 1, any: 1 });
  });

  it("takes as much heap with a thousand events registered as with five, and hardly more than without an ingress", () => {
    const { none, few, many } = counted.idleBytes;
    // A listener for each of a thousand events would be a hundred thousand bytes.
    expect(many - few).toBeLessThan(8_000);
    expect(many - none).toBeLessThan(8_000);
    expect(few - none).toBeLessThan(8_000);
  });
});
