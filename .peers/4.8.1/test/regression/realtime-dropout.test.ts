import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Answers, Cluster } from "../../src/push/cluster.js";
import { Dropouts } from "../../src/features/realtime/groups/dropout.js";
import { recordingLog } from "../fixtures/recording-log.js";

const HEARTBEAT_MS = 1_000;

/** Watches on a node beside another one, which answers what the test says; at every heartbeat it is asked. */
function start(): {
  dropouts: Dropouts;
  other: { now: Answers<readonly (string | readonly [string, number])[]> };
  pass(ms: number): Promise<void>;
} {
  const other: { now: Answers<readonly (string | readonly [string, number])[]> } = {
    now: { answers: [[]], complete: true },
  };
  const cluster = { on: () => undefined, ask: () => Promise.resolve(other.now) } as unknown as Cluster;
  const dropouts = new Dropouts(cluster, recordingLog(), HEARTBEAT_MS, () => false);
  const timer = setInterval(() => void dropouts.look(), HEARTBEAT_MS);
  stop = () => {
    clearInterval(timer);
    dropouts.clear();
  };
  return { dropouts, other, pass: async (ms) => void (await vi.advanceTimersByTimeAsync(ms)) };
}

let stop: () => void = () => undefined;
const online: Answers<readonly (string | readonly [string, number])[]> = { answers: [["ada"]], complete: true };
const away: Answers<readonly (string | readonly [string, number])[]> = { answers: [[]], complete: true };
const silent: Answers<readonly (string | readonly [string, number])[]> = { answers: [], complete: false };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  stop();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

it("a player on a node that does not answer for a moment has not dropped out", async () => {
  const { dropouts, other, pass } = start();
  other.now = online;
  const fn = vi.fn();
  dropouts.watch("ada", fn, 1_500);
  await pass(1_000);
  other.now = silent;
  await pass(2_500);
  other.now = online;
  await pass(60_000);
  expect(fn).not.toHaveBeenCalled();
});

it("a player who went while a node was silent is waited for from when that is known", async () => {
  const { dropouts, other, pass } = start();
  other.now = online;
  const fn = vi.fn();
  dropouts.watch("ada", fn, 1_500);
  await pass(1_000);
  other.now = silent;
  await pass(1_900);
  other.now = away;
  await pass(100);
  await pass(1_499);
  expect(fn).not.toHaveBeenCalled();
  await pass(1);
  expect(fn).toHaveBeenCalledTimes(1);
});

it("a node that stays silent is gone with everybody on it after three heartbeats", async () => {
  const { dropouts, other, pass } = start();
  other.now = silent;
  const fn = vi.fn();
  dropouts.watch("ada", fn, 1_000);
  await pass(2_900);
  expect(fn).not.toHaveBeenCalled();
  await pass(3_000);
  expect(fn).toHaveBeenCalledTimes(1);
});

it("a node that was silent long ago is waited for again", async () => {
  const { dropouts, other, pass } = start();
  other.now = silent;
  const end = dropouts.watch("ada", () => undefined, 60_000);
  await pass(1_000);
  end();
  await pass(60_000);
  const fn = vi.fn();
  dropouts.watch("ada", fn, 0);
  await pass(2_900);
  expect(fn).not.toHaveBeenCalled();
});

it("a player who comes while a silent node is waited for has not dropped out", async () => {
  const { dropouts, other, pass } = start();
  other.now = silent;
  const fn = vi.fn();
  dropouts.watch("ada", fn, 0);
  await pass(500);
  dropouts.came("ada");
  other.now = online;
  await pass(60_000);
  expect(fn).not.toHaveBeenCalled();
});

it("a player who looked in on another node between two heartbeats has not been away in one piece", async () => {
  const { dropouts, other, pass } = start();
  const fn = vi.fn();
  dropouts.watch("ada", fn, 2_500);
  await pass(1_900);
  // There, and gone again, a quarter of a second before the heartbeat.
  await pass(100);
  other.now = { answers: [[["ada", 250]]], complete: true };
  await pass(1_000);
  other.now = away;
  await pass(2_249);
  expect(fn).not.toHaveBeenCalled();
  await pass(1);
  expect(fn).toHaveBeenCalledTimes(1);
});

it("a player who looked in on another node since the last heartbeat has not been away when time is up", async () => {
  const { dropouts, other, pass } = start();
  const fn = vi.fn();
  dropouts.watch("ada", fn, 1_500);
  await pass(1_400);
  other.now = { answers: [[], [["ada", 400]]], complete: true };
  await pass(100);
  expect(fn).not.toHaveBeenCalled();
  other.now = away;
  await pass(1_099);
  expect(fn).not.toHaveBeenCalled();
  await pass(1);
  expect(fn).toHaveBeenCalledTimes(1);
});
