import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { Server } from "socket.io";
import { SocketIngress, type EventContext } from "socket-ingress";
import { expect, test } from "vitest";

import { RawClient } from "../fixtures/raw-client.js";
import { collect, nowhere, survivors } from "./cycles.js";

const never = (): Promise<never> => new Promise(() => undefined);

/** Dispatches many events and gives a weak hold of each one's payload. */
async function dispatchMany(ingress: SocketIngress, event: string, times: number): Promise<WeakRef<object>[]> {
  const refs: WeakRef<object>[] = [];
  const one = async (n: number): Promise<void> => {
    const payload = { n };
    refs.push(new WeakRef(payload));
    await ingress.dispatch(event, {}, payload);
  };
  await Promise.all(Array.from({ length: times }, (_, n) => one(n)));
  return refs;
}

test.each([
  ["answered at once", () => true],
  ["answered later", () => new Promise((resolve) => setImmediate(() => resolve(true)))],
  [
    "answered after its signal was read",
    ({ signal }: EventContext) => new Promise((resolve) => setImmediate(() => resolve(signal.aborted))),
  ],
  ["that failed", () => Promise.reject(new Error("no"))],
  ["that timed out", never],
  [
    "that timed out and had read its signal",
    ({ signal }: EventContext) => (signal.addEventListener("abort", () => undefined), never()),
  ],
] as const)("a thousand events %s leave nothing in memory", async (_what, run) => {
  const ingress = new SocketIngress({ logger: nowhere, timeoutMs: 50, maxInFlight: 10_000, maxPending: 10_000 });
  ingress.subscribe("event", run as () => unknown);
  expect(await survivors(await dispatchMany(ingress, "event", 1_000))).toBe(0);
});

test("a hundred thousand different keys leave nothing in memory", async () => {
  const ingress = new SocketIngress({ logger: nowhere });
  ingress.subscribe("keyed", async () => true, { concurrency: 1, key: (_context: EventContext, key: string) => key });
  const round = async (from: number): Promise<number> => {
    for (let n = from; n < from + 50_000; n += 500) {
      await Promise.all(
        Array.from({ length: 500 }, (_, index) => ingress.dispatch("keyed", {}, `${"key".repeat(20)}${n + index}`)),
      );
    }
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before = await round(0);
  const after = await round(50_000);
  // Fifty thousand keys of 65 characters, each with its lane, would be more than ten megabytes.
  expect(after - before).toBeLessThan(3_000_000);
});

test("three hundred sockets that came, called and went leave nothing in memory", async () => {
  const http = createServer();
  const io = new Server(http);
  const ingress = new SocketIngress({ logger: nowhere, timeoutMs: 50 }).attach(io);
  const refs: WeakRef<object>[] = [];
  ingress.subscribe("connection", async ({ socket }) => void refs.push(new WeakRef(socket)));
  ingress.subscribe("disconnect", ({ socket }) => void refs.push(new WeakRef(socket)));
  ingress.subscribe("now", () => true);
  ingress.subscribe("later", async ({ signal }) => signal.aborted, { concurrency: 1 });
  ingress.subscribe("never", never);
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;

  const visit = async (n: number): Promise<void> => {
    await using client = await RawClient.connect(url);
    client
      .send(1_000, ["never"])
      .send(1_001, ["later"])
      .send(1_002, [`unknown ${n}`])
      .emit(["never"]);
    await client.call(["now"]);
    if (n % 2 === 0) client.terminate();
  };
  for (let n = 0; n < 300; n += 20) await Promise.all(Array.from({ length: 20 }, (_, index) => visit(n + index)));
  while (refs.length < 600) await new Promise((resolve) => setImmediate(resolve));
  // What never settled is kept until its time is up, 50 ms; the last socket may linger in a closure of the event loop's.
  await expect.poll(() => survivors(refs)).toBeLessThanOrEqual(2);
  await ingress.detach();
  await io.close();
});

test.each([
  ["are read", ({ signal }: EventContext) => signal.aborted],
  ["are read later", async ({ signal }: EventContext) => signal.aborted],
  [
    "are listened to for a while",
    async ({ signal }: EventContext) => {
      const listener = (): undefined => undefined;
      signal.addEventListener("abort", listener);
      await new Promise((resolve) => setImmediate(resolve));
      signal.removeEventListener("abort", listener);
    },
  ],
] as const)(
  "forty thousand events of one long-lived socket whose signals %s leave nothing in memory",
  { timeout: 60_000 },
  async (_what, run) => {
    const http = createServer();
    const io = new Server(http);
    const ingress = new SocketIngress({ logger: nowhere }).attach(io);
    ingress.subscribe("signal", run as () => unknown);
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    const client = await RawClient.connect(`http://127.0.0.1:${(http.address() as AddressInfo).port}`);
    const round = async (calls: number): Promise<number> => {
      for (let n = 0; n < calls; n += 500) {
        let answered = 0;
        client.onReply = () => void answered++;
        for (let call = 0; call < 500; call++) client.send(call, ["signal"]);
        await client.until(() => answered === 500, "500 answers");
        client.forget();
      }
      await survivors([new WeakRef({})]);
      collect();
      return process.memoryUsage().heapUsed;
    };
    await round(5_000);
    const before = await round(5_000);
    const after = await round(40_000);
    // An AbortController and its signal take some 500 bytes: forty thousand of them would be twenty megabytes.
    expect(after - before).toBeLessThan(4_000_000);
    await client[Symbol.asyncDispose]();
    await ingress.detach();
    await io.close();
  },
);

test(
  "what still listens to the signals of a socket is let go when the socket leaves",
  { timeout: 30_000 },
  async () => {
    const http = createServer();
    const io = new Server(http);
    const ingress = new SocketIngress({ logger: nowhere }).attach(io);
    const refs: WeakRef<object>[] = [];
    let aborted = 0;
    ingress.subscribe("signal", ({ signal }: EventContext) => {
      const held = { aborted };
      refs.push(new WeakRef(held));
      signal.addEventListener("abort", () => {
        aborted++;
        held.aborted++;
      });
      return true;
    });
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    const client = await RawClient.connect(`http://127.0.0.1:${(http.address() as AddressInfo).port}`);
    for (let call = 0; call < 1_000; call++) client.send(call, ["signal"]);
    await client.until(() => client.replies.length === 1_000, "1,000 answers");
    await client[Symbol.asyncDispose]();
    await expect.poll(() => aborted).toBe(1_000);
    await expect.poll(() => survivors(refs)).toBe(0);
    await ingress.detach();
    await io.close();
  },
);
