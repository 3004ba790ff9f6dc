import { describe, expect, it, vi } from "vitest";
import { EventError } from "socket-ingress";
import { deferred } from "../../fixtures/deferred.js";
import { codeOf, serveIngress } from "../../fixtures/ingress.js";

// A lane for each key of a client's choice was a queue for each: `maxPending` holds wherever events wait.

describe("bound: events that wait for lanes", () => {
  it("count against maxPending together, whatever keys the client chooses", async () => {
    await using app = await serveIngress({ maxInFlight: 10, maxPending: 50 });
    const gate = deferred();
    let started = 0;
    app.ingress.subscribe(
      "x",
      async () => {
        started++;
        await gate.promise;
        return "ran";
      },
      { concurrency: 1, key: (_context, key: string) => key },
    );
    app.ingress.subscribe("quick", () => "quick");
    const client = await app.connect();
    const answers: unknown[] = [];
    for (let key = 0; key < 20; key++)
      for (let n = 0; n < 21; n++)
        void client.emitWithAck("x", String(key)).then((reply) => answers.push(codeOf(reply)));
    // 10 run and 50 wait: all others have been refused.
    await vi.waitFor(() => expect(answers).toHaveLength(20 * 21 - 60));
    expect([...new Set(answers)]).toEqual(["OVERLOADED"]);
    expect(started).toBe(10);
    gate.resolve();
    await vi.waitFor(() => expect(answers).toHaveLength(20 * 21));
    expect(answers.filter((answer) => answer === "ran")).toHaveLength(60);
    // Nothing is counted any more.
    expect(await Promise.all(Array.from({ length: 60 }, () => client.emitWithAck("quick")))).toHaveLength(60);
  });

  it("count over all lanes of an event, also where an earlier subscriber of it has run", async () => {
    await using app = await serveIngress({ maxInFlight: 2, maxPending: 3 });
    const gate = deferred();
    app.ingress.subscribe("x", () => undefined, { guard: true });
    app.ingress.subscribe("x", () => gate.promise, { concurrency: 1 });
    const client = await app.connect();
    const answers: unknown[] = [];
    for (let n = 0; n < 6; n++) void client.emitWithAck("x").then((reply) => answers.push(codeOf(reply)));
    await vi.waitFor(() => expect(answers).toEqual(["OVERLOADED", "OVERLOADED"]));
    gate.resolve();
    await vi.waitFor(() => expect(answers).toHaveLength(6));
  });

  it("are let go when their time is over, and with their connection's shutdown", async () => {
    await using app = await serveIngress({ maxInFlight: 2, maxPending: 2 });
    const gate = deferred();
    app.ingress.subscribe("x", (_context, wait: boolean) => (wait ? gate.promise : "ran"), {
      concurrency: 1,
      timeoutMs: 30,
    });
    const client = await app.connect();
    // The one that hangs gives its lane up at its time limit, and those that wait end at theirs.
    const replies = await Promise.all([1, 2, 3].map(() => client.emitWithAck("x", true)));
    expect(replies.map(codeOf)).toEqual(["TIMEOUT", "TIMEOUT", "TIMEOUT"]);
    expect(await Promise.all([1, 2, 3].map(() => client.emitWithAck("x", false)))).toEqual(["ran", "ran", "ran"]);
    gate.resolve();
  });
});

describe("dropPending", () => {
  it("reaches those that wait for a lane, and for a place behind it; no later subscriber of them runs", async () => {
    await using app = await serveIngress({ maxInFlight: 3 });
    const gate = deferred();
    const ran: unknown[] = [];
    const later: unknown[] = [];
    app.ingress.subscribe(
      "x",
      async (_context, n: number) => {
        ran.push(n);
        await gate.promise;
        return n;
      },
      { concurrency: 1, use: [async (_context, next) => next()] },
    );
    app.ingress.subscribe("x", (_context, n: number) => void later.push(n));
    const [client, other] = [await app.connect(), await app.connect()];
    const replies = [1, 2, 3, 4].map((n) => client.emitWithAck("x", n));
    const others = [5, 6].map((n) => other.emitWithAck("x", n));
    await client.emitWithAck("a round trip");
    await other.emitWithAck("a round trip");
    expect(app.ingress.dropPending(app.serverSide(client), new EventError("UNAUTHENTICATED", "log in again"))).toBe(3);
    expect((await Promise.all(replies.slice(1))).map(codeOf)).toEqual(Array(3).fill("UNAUTHENTICATED"));
    gate.resolve();
    expect([await replies[0], ...(await Promise.all(others))]).toEqual([1, 5, 6]);
    expect(ran).toEqual([1, 5, 6]);
    expect(later).toEqual([1, 5, 6]);
    // The lane is free, and nothing is counted any more.
    expect(await client.emitWithAck("x", 7)).toBe(7);
    expect(await app.ingress.drain({ graceMs: 1_000 })).toEqual({ cut: [] });
  });

  it('leaves what the server itself tells in a lane, such as "disconnect"', async () => {
    await using app = await serveIngress();
    const gate = deferred();
    const told: string[] = [];
    const options = { concurrency: 1, key: () => "one for all" };
    app.ingress.subscribe(
      "disconnect",
      async (_context, reason) => (await gate.promise, void told.push(reason)),
      options,
    );
    const clients = [await app.connect(), await app.connect()];
    const sockets = clients.map((client) => app.serverSide(client));
    for (const client of clients) client.disconnect();
    await vi.waitFor(() => expect(sockets.map(({ connected }) => connected)).toEqual([false, false]));
    for (const socket of sockets) expect(app.ingress.dropPending(socket, new EventError("X", "y"))).toBe(0);
    gate.resolve();
    await vi.waitFor(() => expect(told).toHaveLength(2));
  });
});
