import { describe, expect, it, vi } from "vitest";
import type { EventContext } from "socket-ingress";
import { deferred } from "../fixtures/deferred.js";
import { codeOf, serveIngress } from "../fixtures/ingress.js";

type Next = () => Promise<unknown>;

describe("places among the running events of a connection", () => {
  it("all come back after an interceptor answered while its subscriber still waited for a lane", async () => {
    await using app = await serveIngress({ maxInFlight: 2, maxPending: 5 });
    const gate = deferred();
    const gaveUp = deferred<string>();
    let started = 0;
    app.ingress.subscribe(
      "x",
      () => {
        started++;
        return gate.promise;
      },
      { concurrency: 1, use: [(_context: EventContext, next: Next) => Promise.race([next(), gaveUp.promise])] },
    );
    app.ingress.subscribe("y", async (_context, n: number) => n);
    const client = await app.connect({ ackTimeout: 20_000 });
    const replies = [1, 2, 3, 4].map(() => client.emitWithAck("x"));
    await vi.waitFor(() => expect(started).toBe(1));
    await client.emitWithAck("a round trip");
    gaveUp.resolve("gave up");
    expect(await Promise.all(replies)).toEqual(["gave up", "gave up", "gave up", "gave up"]);
    gate.resolve(); // the lane is free: nobody who still waits may take a place now
    await client.emitWithAck("a round trip");
    expect(await Promise.all([1, 2, 3].map((n) => client.emitWithAck("y", n)))).toEqual([1, 2, 3]);
    expect(started).toBe(1);
    expect(await app.ingress.drain({ graceMs: 0 })).toEqual({ cut: [] });
  });

  it("are not given away by what an interceptor left behind, while the next subscriber runs", async () => {
    await using app = await serveIngress({ maxInFlight: 1 });
    const [busy, gaveUp, late, second] = [deferred(), deferred<string>(), deferred(), deferred()];
    const arrived = deferred();
    const running: string[] = [];
    let inLane = 0;
    const holder = await app.connect({ ackTimeout: 20_000 });
    const isHolder = ({ socket }: EventContext): boolean => socket.id === holder.id;
    app.ingress.subscribe(
      "x",
      () => {
        inLane++;
        return busy.promise;
      },
      {
        priority: 1,
        concurrency: 1,
        key: () => "one for all",
        use: [
          (context: EventContext, next: Next) => (isHolder(context) ? next() : Promise.race([next(), gaveUp.promise])),
          // Comes to the lane when the one around it has given up, and the second subscriber has its turn.
          async (context: EventContext, next: Next) => {
            if (isHolder(context)) return next();
            await late.promise;
            const result = next();
            arrived.resolve();
            return result;
          },
        ],
      },
    );
    app.ingress.subscribe("x", async (context, name: string) => {
      if (isHolder(context)) return "held";
      running.push(name);
      await second.promise;
      running.splice(running.indexOf(name), 1);
      return name;
    });
    const held = holder.emitWithAck("x", "holder");
    await vi.waitFor(() => expect(inLane).toBe(1));
    const client = await app.connect({ ackTimeout: 20_000 });
    const replies = [client.emitWithAck("x", "a"), client.emitWithAck("x", "b")];
    await client.emitWithAck("a round trip");
    gaveUp.resolve("gave up");
    await vi.waitFor(() => expect(running).toEqual(["a"]));
    late.resolve();
    await arrived.promise;
    await client.emitWithAck("a round trip");
    expect(running).toEqual(["a"]);
    second.resolve();
    expect(await Promise.all(replies)).toEqual(["a", "b"]);
    busy.resolve();
    expect(await held).toBe("held");
    // The lane is whole, too.
    expect(await holder.emitWithAck("x", "holder")).toBe("held");
    expect(inLane).toBe(2);
  });

  it("are taken again by an event that was dropped from a lane, before its next subscriber runs", async () => {
    await using app = await serveIngress({ maxInFlight: 2 });
    const [first, second] = [deferred(), deferred()];
    let running = 0;
    let most = 0;
    app.ingress.subscribe("x", () => first.promise, {
      priority: 1,
      concurrency: 1,
      queueMax: 1,
      overflow: "dropOldest",
    });
    app.ingress.subscribe("x", async () => {
      most = Math.max(most, ++running);
      await second.promise;
      running--;
      return "done";
    });
    const client = await app.connect({ ackTimeout: 20_000 });
    const replies = Array.from({ length: 50 }, () => client.emitWithAck("x"));
    await vi.waitFor(() => expect(running).toBeGreaterThan(0));
    await client.emitWithAck("a round trip");
    first.resolve();
    second.resolve();
    expect(await Promise.all(replies)).toEqual(Array(50).fill("done"));
    expect(most).toBeLessThanOrEqual(2);
  });
});

describe("a subscriber with a lane", () => {
  it("is held up by a schema that never settles no longer than that event may take", async () => {
    await using app = await serveIngress();
    const validate = (value: unknown) => (value === 1 ? new Promise<never>(() => undefined) : { value });
    const schema = { "~standard": { version: 1 as const, vendor: "test", validate } };
    app.ingress.subscribe("x", (_context, value) => value, { concurrency: 1, input: schema, timeoutMs: 50 });
    const client = await app.connect({ ackTimeout: 20_000 });
    const replies: unknown[] = [];
    for (const n of [1, 2, 3]) replies.push(codeOf(await client.emitWithAck("x", n)));
    expect(replies).toEqual(["TIMEOUT", 2, 3]);
  });

  it("that is removed while an event waits for it is skipped as if it had never been there, and is no error", async () => {
    await using app = await serveIngress();
    const gate = deferred();
    let started = 0;
    const off = app.ingress.subscribe(
      "x",
      () => {
        started++;
        return gate.promise;
      },
      { priority: 1, concurrency: 1 },
    );
    let after = 0;
    app.ingress.subscribe("x", () => void after++);
    const client = await app.connect({ ackTimeout: 20_000 });
    const replies = [client.emitWithAck("x"), client.emitWithAck("x")];
    await vi.waitFor(() => expect(started).toBe(1));
    await client.emitWithAck("a round trip");
    off();
    gate.resolve();
    expect(await Promise.all(replies)).toEqual([undefined, undefined]);
    expect({ started, after }).toEqual({ started: 1, after: 2 });
    expect(app.log.lines.filter(({ level }) => level === "warn" || level === "error")).toEqual([]);
  });
});

describe("a method behind an interceptor that awaits before next()", () => {
  /** An interceptor that tells when it has been through. */
  function waiting() {
    const [gate, reached, over] = [deferred(), deferred(), deferred()];
    const interceptor = async (_context: EventContext, next: Next): Promise<unknown> => {
      reached.resolve();
      await gate.promise;
      try {
        return await next();
      } finally {
        over.resolve();
      }
    };
    return { gate, reached, over, interceptor };
  }

  it("does not run once the caller has been answered TIMEOUT", async () => {
    await using app = await serveIngress();
    const { gate, over, interceptor } = waiting();
    let ran = 0;
    app.ingress.subscribe("x", () => void ran++, { timeoutMs: 20, use: [interceptor] });
    const client = await app.connect({ ackTimeout: 20_000 });
    expect(codeOf(await client.emitWithAck("x"))).toBe("TIMEOUT");
    gate.resolve();
    await over.promise;
    expect(ran).toBe(0);
  });

  it("does not run once it was cut by a shutdown", async () => {
    await using app = await serveIngress();
    const { gate, reached, over, interceptor } = waiting();
    let ran = 0;
    app.ingress.subscribe("x", () => void ran++, { use: [interceptor] });
    const client = await app.connect({ ackTimeout: 20_000 });
    const reply = client.emitWithAck("x");
    await reached.promise;
    await app.ingress.drain({ graceMs: 0 });
    expect(codeOf(await reply)).toBe("SHUTTING_DOWN");
    gate.resolve();
    await over.promise;
    expect(ran).toBe(0);
  });
});
