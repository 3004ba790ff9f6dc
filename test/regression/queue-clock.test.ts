import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Client } from "socket-ingress/client";
import { QueueService } from "socket-ingress/queue";
import { trackJob } from "socket-ingress/queue/client";
import { deferred } from "../fixtures/deferred.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A connected client whose calls are refused. */
function refusing(failure: object): { client: Client; call: ReturnType<typeof vi.fn> } {
  const call = vi.fn(() => Promise.reject(failure));
  const client = {
    call,
    logger: { warn: () => undefined, error: () => undefined },
    on: () => () => undefined,
    onStatus(fn: (status: { connected: boolean }) => void) {
      fn({ connected: true });
      return () => undefined;
    },
    onEnded: () => () => undefined,
  };
  return { client: client as unknown as Client, call }; // all that is asked of one
}

it("a job that is followed is asked about again when the server said, and not sooner", async () => {
  const { client, call } = refusing({ code: "RATE_LIMITED", message: "too often", retryAfterMs: 60_000 });
  const job = trackJob(client, "id");
  await vi.advanceTimersByTimeAsync(59_000);
  expect(call).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(call).toHaveBeenCalledTimes(2);
  job.close();
  expect(vi.getTimerCount()).toBe(0);
});

it("a job whose server can't say how it is is asked about less and less often", async () => {
  const { client, call } = refusing({ code: "TIMEOUT", message: "too slow" });
  const job = trackJob(client, "id");
  await vi.advanceTimersByTimeAsync(600_000);
  expect(call.mock.calls.length).toBeLessThan(60);
  job.close();
  expect(vi.getTimerCount()).toBe(0);
});

it("a grace without an end is none that is over at once", async () => {
  const queue = new QueueService({ graceMs: Infinity });
  const [started, release] = [deferred(), deferred()];
  const done: unknown[] = [];
  queue.process("q", async ([job]) => {
    started.resolve();
    await release.promise;
    done.push(job?.signal.aborted);
  });
  await queue.start();
  await queue.enqueue("q", 1);
  await vi.advanceTimersByTimeAsync(100);
  await started.promise;
  const stopped = queue.stop();
  await vi.advanceTimersByTimeAsync(3_600_000);
  release.resolve();
  await stopped;
  expect(done).toEqual([false]);
});
