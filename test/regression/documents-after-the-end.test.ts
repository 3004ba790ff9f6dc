import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Keeper } from "../../src/features/collab/saving.js";
import { deferred } from "../fixtures/deferred.js";
import { recordingLog } from "../fixtures/recording-log.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("a save that fails after its document was given up is not tried again, and leaves no timer", async () => {
  const appended = deferred();
  const append = vi.fn(() => appended.promise);
  const keeper = new Keeper({
    autosaveMs: 1,
    maxUnsavedMs: 1,
    maxBytes: 1_000,
    log: recordingLog(),
    append,
    merge: ([update]) => update as Uint8Array,
    whole: () => new Uint8Array(),
    onState: () => undefined,
    onSaved: () => undefined,
  });
  keeper.take("life", 1, new Uint8Array(1));
  await vi.advanceTimersByTimeAsync(10);
  expect(append).toHaveBeenCalledTimes(1);
  keeper.stop();
  appended.reject(new Error("the database was closed"));
  await vi.advanceTimersByTimeAsync(600_000);
  expect(append).toHaveBeenCalledTimes(1);
  expect(vi.getTimerCount()).toBe(0);
  keeper.takeOther("other", 1, new Uint8Array(1));
  expect(vi.getTimerCount()).toBe(0);
});
