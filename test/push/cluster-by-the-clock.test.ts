import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { fakeServer } from "socket-ingress/testing";
import { Cluster } from "../../src/push/cluster.js";
import { recordingLog } from "../fixtures/recording-log.js";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

/** A node with others, whose adapter does with a question what a test wants. */
function asking(send: (packet: unknown[]) => void): Cluster {
  const namespace = fakeServer().of("/");
  vi.spyOn(namespace.adapter, "serverCount").mockResolvedValue(2);
  vi.spyOn(namespace.adapter, "serverSideEmit").mockImplementation(send);
  return new Cluster(namespace, recordingLog());
}

it("a question that the adapter forgets is not waited for without end, as Socket.IO's Redis adapter does when it can't count", async () => {
  const cluster = asking(() => undefined);
  const asked = cluster.ask({ kind: "anything" });
  await vi.waitFor(() => expect(vi.getTimerCount()).toBe(1));
  vi.advanceTimersByTime(60_000);
  expect(await asked).toEqual({ answers: [], complete: false });
});

it("a question that is answered, or fails, leaves no timer", async () => {
  const answered = asking((packet) => (packet[2] as (error: null, answers: unknown[]) => void)(null, [1]));
  expect(await answered.ask({ kind: "anything" })).toEqual({ answers: [1], complete: true });
  const failing = asking(() => {
    throw new Error("gone");
  });
  expect(await failing.ask({ kind: "anything" })).toEqual({ answers: [], complete: false });
  expect(vi.getTimerCount()).toBe(0);
});
