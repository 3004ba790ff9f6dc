import { describe, expect, it, vi } from "vitest";
import { MemoryQueueBackend, QueueService } from "socket-ingress/queue";
import { RawClient } from "../../fixtures/raw-client.js";
import { open } from "../realtime/door.js";
import { until } from "./queue-suite.js";

describe("what a queue keeps", () => {
  it("is full at maxSize, 10,000 jobs unless it says otherwise, and those of a list that does not fit are refused together", async () => {
    await using queue = new QueueService();
    await queue.start();
    await queue.enqueue(
      "q",
      Array.from({ length: 9_999 }, (_, i) => i),
    );
    await expect(queue.enqueue("q", [1, 2])).rejects.toMatchObject({
      code: "OVERLOADED",
      details: { size: 9_999, max: 10_000 },
    });
    await queue.enqueue("q", 1);
    await expect(queue.enqueue("q", 1)).rejects.toMatchObject({ code: "OVERLOADED" });
    expect(await queue.pending("q")).toBe(10_000);
  });

  it("forgets what is over beyond keepCount, and after keepMs", async () => {
    await using queue = new QueueService({ backend: new MemoryQueueBackend({ keepMs: 40 }) });
    await queue.start();
    queue.process("q", () => undefined);
    const { ids } = await queue.enqueue(
      "q",
      Array.from({ length: 1_100 }, (_, i) => i),
    );
    const known = async (): Promise<number> =>
      (await Promise.all(ids.map(async (id) => queue.status("q", id)))).filter((one) => one !== undefined).length;
    await until(() => queue.health().completed === 1_100);
    expect(await known()).toBeLessThanOrEqual(1_000);
    await until(async () => (await known()) === 0);
    const cancelled = await queue.enqueue(
      "later",
      Array.from({ length: 10 }, (_, i) => i),
      { delayMs: 60_000 },
    );
    for (const id of cancelled.ids) expect(await queue.cancel("later", id)).toBe("removed");
    await until(async () => (await queue.status("later", cancelled.ids[0] as string)) === undefined);
  });

  it("forgets the dead beyond keepDead, and nothing sooner", async () => {
    await using queue = new QueueService({ backend: new MemoryQueueBackend({ keepDead: 20, keepMs: 1 }) });
    await queue.start();
    queue.process("q", (jobs) => jobs.forEach((job) => job.fail(new Error("no"))), { attempts: 1 });
    await queue.enqueue(
      "q",
      Array.from({ length: 50 }, (_, i) => i),
    );
    await until(() => queue.health().died === 50);
    expect((await queue.dead("q")).map(({ data }) => data)).toEqual(Array.from({ length: 20 }, (_, i) => 49 - i));
  });

  it("takes no more from a client than maxBytes, 65,536 unless it says otherwise, nor what is nested too deeply to be kept", async () => {
    await using door = await open({
      before: (manager, realtime) => {
        const queue = new QueueService({ realtime });
        manager.registerService(queue);
        manager.ingress.subscribe("export", queue.asSubscriber("exports"));
        manager.ingress.subscribe("small", queue.asSubscriber("exports", { maxBytes: 100 }));
      },
    });
    const { socket } = await door.enter();
    const deep = Array.from({ length: 50_000 }).reduce<unknown>((inner) => [inner], 1);
    for (const [event, data, maxBytes] of [
      ["export", "x".repeat(65_536), 65_536],
      ["export", [new Uint8Array(65_536)], 65_536],
      ["small", "x".repeat(100), 100],
    ] as const)
      expect(await socket.emitWithAck(event, data)).toMatchObject({
        error: { code: "INVALID_INPUT", details: { maxBytes } },
      });
    expect(await socket.emitWithAck("export", "x".repeat(65_000))).toEqual(expect.any(String));
    expect(await socket.emitWithAck("small", "x".repeat(80))).toEqual(expect.any(String));
    expect(await socket.emitWithAck("small")).toEqual(expect.any(String));
    const queue = new QueueService();
    const subscriber = queue.asSubscriber("exports", { maxBytes: Infinity });
    await expect(subscriber({} as never, deep)).rejects.toMatchObject({ code: "INVALID_INPUT" });
  });

  it("hands out whatever it has taken in, however deeply that is nested, and what is in its batch", async () => {
    const done: unknown[] = [];
    await using door = await open({
      before: (manager, realtime) => {
        const queue = new QueueService({ realtime });
        queue.process("exports", (jobs) => void done.push(...jobs.map(({ id }) => id)), { lingerMs: 0 });
        manager.registerService(queue);
        manager.ingress.subscribe("export", queue.asSubscriber("exports"));
      },
    });
    await using client = await RawClient.connect(door.served.url);
    const answers: unknown[] = [];
    for (let depth = 500; depth <= 8_000; depth += 500) {
      const nested = [`${"[".repeat(depth)}${"]".repeat(depth)}`, `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`, "1"];
      const sent = nested.map((data) => {
        const id = client.freshId();
        client.frame(`42${id}["export",${data}]`);
        return id;
      });
      for (const id of sent) answers.push((await client.reply(id))[0]);
    }
    const ids = answers.filter((answer) => typeof answer === "string");
    for (const answer of answers)
      if (!ids.includes(answer as string)) expect(answer).toMatchObject({ error: { code: "INVALID_INPUT" } });
    await vi.waitFor(() => expect(new Set(done)).toEqual(new Set(ids)), { timeout: 5_000 });
    expect(door.log.lines.filter(({ level }) => level === "warn" || level === "error")).toEqual([]);
  });

  it("takes no longer id from a client than 256 characters", async () => {
    await using door = await open({
      before: (manager, realtime) => void manager.registerService(new QueueService({ realtime })),
    });
    const { socket } = await door.enter();
    for (const event of ["queue:status", "queue:cancel"]) {
      expect(await socket.emitWithAck(event, "x".repeat(256))).toMatchObject({ error: { code: "NOT_FOUND" } });
      expect(await socket.emitWithAck(event, "x".repeat(257))).toMatchObject({ error: { code: "INVALID_INPUT" } });
      expect(await socket.emitWithAck(event, "x", "q".repeat(257))).toMatchObject({ error: { code: "INVALID_INPUT" } });
    }
  });
});
