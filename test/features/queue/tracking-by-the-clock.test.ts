import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Client } from "socket-ingress/client";
import { trackJob } from "socket-ingress/queue/client";
import { type Deferred, deferred } from "../../fixtures/deferred.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A client whose connection and whose answers are the test's. */
function clientInHand() {
  const calls: Deferred<unknown>[] = [];
  const listeners = new Set<(update: unknown) => void>();
  const watchers = new Set<(status: { connected: boolean }) => void>();
  let connected = true;
  const client = {
    call() {
      const answer = deferred<unknown>();
      calls.push(answer);
      return answer.promise;
    },
    logger: { warn: () => undefined, error: () => undefined },
    on(_: string, fn: (update: unknown) => void) {
      listeners.add(fn);
      return () => listeners.delete(fn);
    },
    onStatus(fn: (status: { connected: boolean }) => void) {
      watchers.add(fn);
      fn({ connected });
      return () => watchers.delete(fn);
    },
    onEnded: () => () => undefined,
  };
  return {
    client: client as unknown as Client, // all that is asked of one
    calls,
    push: (update: object) => listeners.forEach((fn) => fn(update)),
    async connect(now: boolean) {
      connected = now;
      for (const fn of watchers) fn({ connected });
      await vi.advanceTimersByTimeAsync(0);
    },
    left: () => listeners.size + watchers.size,
  };
}

const running = { id: "id", queue: "q", state: "running", version: 4_000_000 };

it("an answer of an earlier connection says nothing of this one, whether it is a job or a failure", async () => {
  const { client, calls, connect, left } = clientInHand();
  const job = trackJob(client, "id");
  for (const end of [
    (answer: Deferred<unknown>) => answer.resolve(running),
    (answer: Deferred<unknown>) => answer.reject({ code: "NOT_FOUND", message: "gone" }),
  ]) {
    const answer = calls.at(-1);
    await connect(false);
    await connect(true);
    if (answer) end(answer);
    await vi.advanceTimersByTimeAsync(0);
    expect(job.getSnapshot()).toMatchObject({ state: undefined, status: "loading" });
  }
  calls.at(-1)?.resolve(running);
  await job.ready;
  expect(job.getSnapshot()).toMatchObject({ state: "running", status: "live" });
  job.close();
  expect(left()).toBe(0);
});

it("what was cut off is asked for by the next connection, and not by the clock", async () => {
  const { client, calls, connect } = clientInHand();
  const job = trackJob(client, "id");
  calls[0]?.reject({ code: "DISCONNECTED", message: "cut off" });
  await connect(false);
  await vi.advanceTimersByTimeAsync(600_000);
  expect(calls).toHaveLength(1);
  expect(job.getSnapshot()).toMatchObject({ status: "loading" });
  await connect(true);
  expect(calls).toHaveLength(2);
  job.close();
});

it("a server that can't say how a job is leaves it stale with the reason, and live when it can", async () => {
  const { client, calls, connect } = clientInHand();
  const job = trackJob(client, "id");
  calls[0]?.resolve(running);
  await job.ready;
  await connect(false);
  expect(job.getSnapshot()).toMatchObject({ state: "running", status: "stale" });
  await connect(true);
  calls[1]?.reject({ code: "TIMEOUT", message: "too slow" });
  await vi.advanceTimersByTimeAsync(0);
  expect(job.getSnapshot()).toMatchObject({ state: "running", status: "stale", error: { code: "TIMEOUT" } });
  await vi.advanceTimersByTimeAsync(1_000);
  calls[2]?.resolve(running);
  await vi.advanceTimersByTimeAsync(0);
  expect(job.getSnapshot()).toMatchObject({ state: "running", status: "live" });
  expect(job.getSnapshot().error).toBeUndefined();
  job.close();
});

it("what is over stays as it is, whatever a late question is answered", async () => {
  const { client, calls, push, connect } = clientInHand();
  const job = trackJob(client, "id");
  push({ ...running, state: "completed", version: 7_000_000, result: 1 });
  calls[0]?.reject({ code: "NOT_FOUND", message: "forgotten" });
  await vi.advanceTimersByTimeAsync(0);
  await connect(false);
  await connect(true);
  expect(job.getSnapshot()).toEqual({ state: "completed", progress: undefined, result: 1, status: "live" });
  expect(calls).toHaveLength(1);
  job.close();
});
