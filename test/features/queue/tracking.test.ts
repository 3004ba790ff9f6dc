import { describe, expect, it } from "vitest";
import type { Socket } from "socket.io-client";
import { createClient, type Client } from "socket-ingress/client";
import { user } from "socket-ingress/realtime";
import { type Job, type ProcessOptions, QueueService, type QueueServiceOptions } from "socket-ingress/queue";
import { type JobSnapshot, trackJob, type TrackedJob } from "socket-ingress/queue/client";
import { deferred } from "../../fixtures/deferred.js";
import { open, type As, type Door } from "../realtime/door.js";
import { until } from "./queue-suite.js";

interface Calls {
  export(data: unknown, reply: (id: string) => void): void;
}

/** A server with a queue, and clients of it. */
interface Served extends AsyncDisposable {
  readonly queue: QueueService;
  readonly door: Door;
  enter(as?: As): Promise<{ client: Client<Calls, Socket>; events: unknown[][]; caughtUp(): Promise<void> }>;
}

const quick: ProcessOptions = { backoffMs: 1, lingerMs: 0, attempts: 1 };

async function serve(options: QueueServiceOptions = {}): Promise<Served> {
  let queue!: QueueService;
  const door = await open({
    before: (manager, realtime) => {
      queue = new QueueService({ realtime, ...options });
      manager.registerService(queue);
      manager.ingress.subscribe("export", queue.asSubscriber("exports"));
    },
  });
  return {
    queue,
    door,
    async enter(as) {
      const entered = await door.enter(as);
      const client = createClient<Calls, Socket>(entered.socket, {
        logger: { warn: () => undefined, error: () => undefined },
      });
      return { client, events: entered.events, caughtUp: () => entered.caughtUp() };
    },
    [Symbol.asyncDispose]: () => door[Symbol.asyncDispose](),
  };
}

/** All that a tracked job has shown, from now on. */
function record<P, R>(job: TrackedJob<P, R>): JobSnapshot<P, R>[] {
  const seen: JobSnapshot<P, R>[] = [];
  job.subscribe((snapshot) => seen.push(snapshot));
  return seen;
}

const ann: As = { user: "ann", session: "s1" };

describe("a job that a client asked for", () => {
  it("is answered with its id at once; progress and result are shown in all tabs of the session that asked, and to nobody else", async () => {
    await using served = await serve();
    const [one, two, bob, same, other] = await Promise.all([
      served.enter(ann),
      served.enter(ann),
      served.enter({ user: "bob", session: "s2" }),
      served.enter({ user: "ann", session: "s3" }),
      served.enter(),
    ]);
    const started = deferred<Job<unknown>>();
    const release = deferred();
    served.queue.process(
      "exports",
      async ([job]) => {
        started.resolve(job as Job);
        await release.promise;
        return [{ url: "/x.csv" }];
      },
      quick,
    );
    const id = await one.client.call("export", { format: "csv" });
    expect(id).toEqual(expect.any(String));
    const job = await started.promise;
    expect(job).toMatchObject({ id, data: { format: "csv" }, origin: { user: "ann", session: "s1" } });
    const tabs = [trackJob<number>(one.client, id), trackJob<number>(two.client, id)];
    await Promise.all(tabs.map(({ ready }) => ready));
    expect(tabs[0]?.getSnapshot()).toEqual({
      state: "running",
      progress: undefined,
      result: undefined,
      status: "live",
    });
    await job.progress(50);
    await until(() => tabs.every((tab) => tab.getSnapshot().progress === 50));
    release.resolve();
    await until(() => tabs.every((tab) => tab.getSnapshot().state === "completed"));
    for (const tab of tabs) {
      expect(tab.getSnapshot()).toEqual({
        state: "completed",
        progress: 50,
        result: { url: "/x.csv" },
        status: "live",
      });
    }
    for (const stranger of [bob, same, other]) {
      await stranger.caughtUp();
      expect(stranger.events.filter(([event]) => String(event).startsWith("queue:"))).toEqual([]);
    }
  });

  it("that fails says why, as far as its caller may know", async () => {
    await using served = await serve();
    const { client } = await served.enter(ann);
    served.queue.process("exports", () => Promise.reject(new Error("secret path /etc")), quick);
    const job = trackJob(client, await client.call("export", 1));
    await until(() => job.getSnapshot().state === "failed");
    expect(job.getSnapshot()).toEqual({
      state: "failed",
      progress: undefined,
      result: undefined,
      error: { code: "INTERNAL", message: "internal error" },
      status: "live",
    });
  });

  it("is nobody else's to ask about or to cancel, and not told from one that is not there", async () => {
    await using served = await serve();
    const [one, bob] = await Promise.all([served.enter(ann), served.enter({ user: "bob", session: "s2" })]);
    const id = await one.client.call("export", 1);
    const ask = async (client: Client<Calls, Socket>, event: string, of: unknown): Promise<unknown> =>
      client.socket.emitWithAck(event, of);
    const foreign = await ask(bob.client, "queue:status", id);
    expect(foreign).toEqual(await ask(bob.client, "queue:status", "no-such-job"));
    expect(foreign).toMatchObject({ error: { code: "NOT_FOUND" } });
    expect(await ask(bob.client, "queue:cancel", id)).toMatchObject({ error: { code: "NOT_FOUND" } });
    expect(await served.queue.pending("exports")).toBe(1);
    const lost = trackJob(bob.client, id);
    await expect(lost.ready).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(lost.getSnapshot()).toMatchObject({ state: undefined, status: "lost", error: { code: "NOT_FOUND" } });
    for (const hostile of [undefined, null, 7, {}, "", "x".repeat(300), ["a"]])
      expect(await ask(one.client, "queue:status", hostile)).toMatchObject({ error: { code: "INVALID_INPUT" } });
    expect(await one.client.socket.emitWithAck("queue:status", id, { a: 1 })).toMatchObject({
      error: { code: "INVALID_INPUT" },
    });
  });

  it("may be asked about by its user from another device, and no more once they have logged out", async () => {
    await using served = await serve();
    const [one, phone] = await Promise.all([served.enter(ann), served.enter({ user: "ann", session: "s3" })]);
    const id = await one.client.call("export", 1);
    const job = trackJob(phone.client, id);
    await job.ready;
    expect(job.getSnapshot().state).toBe("queued");
    const socket = served.door.served.serverSide(one.client.socket);
    await served.door.realtime.setUser(socket as never, undefined);
    const gone = trackJob(one.client, id);
    await expect(gone.ready).rejects.toMatchObject({ code: "NOT_FOUND" });
    // Nor is the session that is nobody's now told of it.
    served.queue.process("exports", () => ["secret"], quick);
    await until(async () => (await served.queue.status("exports", id))?.state === "completed");
    await one.caughtUp();
    expect(JSON.stringify(one.events)).not.toContain("secret");
  });

  it("is the session's where nobody is logged in, and the socket's where there is no session", async () => {
    await using served = await serve();
    for (const as of [{ session: "s9" }, undefined]) {
      const [one, other] = await Promise.all([served.enter(as), served.enter({ session: "another" })]);
      const id = await one.client.call("export", 1);
      await trackJob(one.client, id).ready;
      await expect(trackJob(other.client, id).ready).rejects.toMatchObject({ code: "NOT_FOUND" });
    }
  });

  it("is nobody's for whoever logs in on the connection, and whose it was sees it again after coming back", async () => {
    await using served = await serve();
    const { client } = await served.enter({ user: "ann" });
    const release = deferred();
    served.queue.process("exports", () => release.promise, quick);
    const job = trackJob(client, await client.call("export", 1));
    await job.ready;
    const [socket] = [...served.door.served.io.sockets.sockets.values()];
    for (const other of [undefined, "bob"]) {
      await served.door.realtime.setUser(socket as never, other);
      await until(() => job.getSnapshot().status === "lost");
      expect(job.getSnapshot().error).toMatchObject({ code: "NOT_FOUND" });
      await served.door.realtime.setUser(socket as never, "ann");
      await until(() => job.getSnapshot().status === "live");
    }
    release.resolve();
    await until(() => job.getSnapshot().state === "completed");
  });

  it("is cancelled by whoever asked: queued, cancelling, cancelled", async () => {
    await using served = await serve();
    const { client } = await served.enter(ann);
    const waiting = trackJob(client, await client.call("export", 1));
    await waiting.ready;
    expect(await waiting.cancel()).toBe("removed");
    await until(() => waiting.getSnapshot().state === "cancelled");
    const [started, release] = [deferred<Job>(), deferred()];
    served.queue.process(
      "exports",
      async ([job]) => {
        started.resolve(job as Job);
        await release.promise;
      },
      quick,
    );
    const running = trackJob(client, await client.call("export", 2));
    const seen = record(running);
    const { signal } = await started.promise;
    await until(() => running.getSnapshot().state === "running");
    expect(await running.cancel()).toBe("aborted");
    expect(signal.aborted).toBe(true);
    await until(() => running.getSnapshot().state === "cancelling");
    release.resolve();
    await until(() => running.getSnapshot().state === "cancelled");
    expect(
      seen
        .map(({ state }) => state)
        .filter((state, i, all) => state !== all[i - 1])
        .slice(-3),
    ).toEqual(["running", "cancelling", "cancelled"]);
    expect(await running.cancel()).toBe("unknown");
  });

  it("is followed across a reconnect: what became of it meanwhile is there, and never a step back", async () => {
    await using served = await serve();
    const { client } = await served.enter(ann);
    const [started, release] = [deferred<Job>(), deferred()];
    served.queue.process(
      "exports",
      async ([job]) => {
        started.resolve(job as Job);
        await release.promise;
        return ["done"];
      },
      quick,
    );
    const job = trackJob<number, string>(client, await client.call("export", 1));
    const seen = record(job);
    await (await started.promise).progress(10);
    await until(() => job.getSnapshot().progress === 10);
    client.socket.disconnect();
    await until(() => job.getSnapshot().status === "stale");
    await (await started.promise).progress(90);
    release.resolve();
    await until(async () => (await served.queue.status("exports", job.id))?.state === "completed");
    client.socket.connect();
    await until(() => job.getSnapshot().state === "completed");
    expect(job.getSnapshot()).toEqual({ state: "completed", progress: 90, result: "done", status: "live" });
    const told = seen.map(({ progress }) => progress ?? 0);
    expect(told).toEqual([...told].sort((a, b) => a - b));
    await job[Symbol.asyncDispose]();
    job.close();
  });

  it("is lost when the server ends the connection for good, whether or not anything was known of it, and is there again with the next connection", async () => {
    await using served = await serve();
    const { client } = await served.enter(ann);
    const release = deferred();
    served.queue.process("exports", () => release.promise, quick);
    const job = trackJob(client, await client.call("export", 1));
    await job.ready;
    await served.door.realtime.disconnect(user("ann"), { code: "UNAUTHENTICATED", message: "signed out" });
    await until(() => job.getSnapshot().status === "lost");
    expect(job.getSnapshot().error).toMatchObject({ code: "UNAUTHENTICATED" });

    let isOpen = false;
    served.door.ingress.subscribe("connect", () => isOpen);
    const unknown = trackJob(client, job.id);
    client.socket.connect();
    await expect(unknown.ready).rejects.toMatchObject({ code: "FORBIDDEN" });

    isOpen = true;
    client.socket.connect();
    await until(() => unknown.getSnapshot().status === "live" && job.getSnapshot().status === "live");
    expect(job.getSnapshot().error).toBeUndefined();
    release.resolve();
    await until(() => job.getSnapshot().state === "completed");
  });

  it("whose caller has gone is done without a line in the log, and its result is there for who comes back", async () => {
    await using served = await serve();
    const { client } = await served.enter(ann);
    const ids = await Promise.all(Array.from({ length: 20 }, async (_, i) => client.call("export", i)));
    client.socket.disconnect();
    const lines = served.door.log.lines.length;
    served.queue.process(
      "exports",
      async (jobs) => {
        for (const job of jobs) await job.progress(1);
        return jobs.map(({ data }) => data);
      },
      quick,
    );
    await until(async () => (await served.queue.status("exports", ids[19] as string))?.state === "completed");
    expect(served.door.log.lines.slice(lines).filter(({ level }) => level !== "debug")).toEqual([]);
    const back = await served.enter(ann);
    const job = trackJob(back.client, ids[7] as string);
    await job.ready;
    expect(job.getSnapshot()).toMatchObject({ state: "completed", result: 7 });
  });

  it("of a full queue is OVERLOADED, and of a server without a realtime door nobody's to ask about", async () => {
    await using served = await serve({ maxSize: 1 });
    const { client } = await served.enter(ann);
    await client.call("export", 1);
    await expect(client.call("export", 2)).rejects.toMatchObject({
      code: "OVERLOADED",
      details: { size: 1, max: 1, retryAfterMs: 1_000 },
    });
    const alone = new QueueService();
    await alone.start();
    await alone.enqueue("exports", 1, { from: { user: "ann" } });
    expect(await alone.cancel("exports", "another")).toBe("unknown");
    await alone.stop();
  });

  it("is told of only once it is asked for in somebody's name, who may be said by hand", async () => {
    await using served = await serve();
    const { client, events, caughtUp } = await served.enter(ann);
    served.queue.process("exports", () => ["done"], quick);
    await served.queue.enqueue("exports", 1);
    const { ids } = await served.queue.enqueue("exports", 2, { from: { session: "s1" } });
    const job = trackJob(client, ids[0] as string);
    await expect(job.ready.catch((error: unknown) => error)).resolves.toBeUndefined();
    await until(() => job.getSnapshot().state === "completed");
    await caughtUp();
    const told = events.filter(([event]) => event === "queue:job").map(([, update]) => (update as { id: string }).id);
    expect(new Set(told)).toEqual(new Set(ids));
    await expect(served.queue.enqueue("exports", 1, { from: { users: "x" } as never })).rejects.toThrow(/from must be/);
    await expect(served.queue.enqueue("exports", 1, { from: 7 as never })).rejects.toThrow(/from must be/);
  });
});

it("a burst of notifications through the queue is sent in batches of 50, in order for each user", async () => {
  await using served = await serve();
  const users = ["ada", "bob", "cid"];
  const clients = await Promise.all(users.map(async (user) => served.enter({ user })));
  const sizes: number[] = [];
  served.queue.process<{ to: string; n: number }>(
    "user_notifications",
    async (jobs) => {
      sizes.push(jobs.length);
      for (const { data } of jobs) await served.door.realtime.sendTo(user(data.to), data.n);
    },
    { batchSize: 50 },
  );
  await served.queue.enqueue(
    "user_notifications",
    Array.from({ length: 120 }, (_, n) => ({ to: users[n % 3] as string, n })),
  );
  await until(() => sizes.length === 3);
  for (const [i, client] of clients.entries()) {
    await client.caughtUp();
    const got = client.events
      .filter(([event]) => event === "ingress:notify")
      .map(([, notice]) => (notice as { data: number }).data);
    expect(got).toEqual(Array.from({ length: 40 }, (_, n) => n * 3 + i));
  }
  expect(sizes).toEqual([50, 50, 20]);
});
