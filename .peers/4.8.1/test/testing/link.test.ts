import { describe, expect, test, vi } from "vitest";
import { Server } from "socket.io";
import { fakeServer, inMemory, Link } from "socket-ingress/testing";

/** The same faults, over the two kinds of line the kit has. */
interface Lined extends AsyncDisposable {
  readonly link: Link;
  readonly io: Server;
  send(n: number): void;
  call(n: number): Promise<unknown>;
  /** What arrived at the server, and at the client. */
  readonly atServer: unknown[];
  readonly atClient: unknown[];
  /** Everything sent before has arrived, as far as the faults let it. */
  settle(): Promise<void>;
  drop(): void;
}

function counting(io: Server, atServer: unknown[]): void {
  io.on("connection", (socket) => {
    socket.on("count", (n: number, reply?: (n: number) => void) => {
      atServer.push(n);
      reply?.(-n);
    });
  });
}

async function fakeLine(): Promise<Lined> {
  const io = fakeServer();
  const atServer: unknown[] = [];
  counting(io, atServer);
  const socket = await io.connect();
  const probe = await io.connect();
  return {
    io,
    link: socket.link,
    atServer,
    get atClient() {
      return socket.sent.map(({ args }) => args[0]);
    },
    send: (n) => void socket.emit("count", n),
    call: (n) => socket.receive("count", n),
    settle: async () => {
      await probe.receive("count", 0);
      atServer.splice(atServer.indexOf(0), 1);
    },
    drop: () => socket.dropTransport(),
    [Symbol.asyncDispose]: () => io.close(),
  };
}

async function memoryLine(): Promise<Lined> {
  const app = await inMemory(new Server());
  const atServer: unknown[] = [];
  const atClient: unknown[] = [];
  counting(app.io, atServer);
  const client = await app.connect();
  const probe = await app.connect();
  client.on("news", (n) => atClient.push(n));
  return {
    io: app.io,
    link: app.link(client),
    atServer,
    atClient,
    send: (n) => void client.emit("count", n),
    call: (n) => client.emitWithAck("count", n),
    settle: async () => {
      // Two round trips of a later packet on the same process: the streams between are in order.
      for (let i = 0; i < 2; i++) {
        await probe.emitWithAck("count", 0);
        atServer.splice(atServer.indexOf(0), 1);
      }
    },
    drop: () => app.dropTransport(client),
    [Symbol.asyncDispose]: () => app.close(),
  };
}

describe.each([
  ["fake", fakeLine],
  ["in memory", memoryLine],
])("%s", (_name, open) => {
  test("held packets arrive in order when they are released", async () => {
    await using line = await open();
    const release = line.link.hold("toServer");
    line.send(1);
    line.send(2);
    await line.settle();
    expect(line.atServer).toEqual([]);
    release();
    release();
    line.send(3);
    await line.settle();
    expect(line.atServer).toEqual([1, 2, 3]);
  });

  test("each direction is disturbed alone", async () => {
    await using line = await open();
    const release = line.link.hold("toClient");
    line.io.emit("news", 1);
    line.send(1);
    await line.settle();
    expect(line.atClient).toEqual([]);
    expect(line.atServer).toEqual([1]);
    release();
    await line.settle();
    expect(line.atClient).toEqual([1]);
  });

  test("a delayed packet arrives when its time has come, on fake timers too", async () => {
    await using line = await open();
    vi.useFakeTimers();
    try {
      line.link.delay("toServer", 5_000);
      const reply = line.call(7);
      await line.settle();
      vi.advanceTimersByTime(4_999);
      await line.settle();
      expect(line.atServer).toEqual([]);
      vi.advanceTimersByTime(1);
      expect(await reply).toBe(-7);
    } finally {
      vi.useRealTimers();
    }
  });

  test("a delay that ends lets go at once of what it held", async () => {
    await using line = await open();
    const end = line.link.delay("toClient", 60_000);
    line.io.emit("news", 1);
    line.io.emit("news", 2);
    await line.settle();
    end();
    line.io.emit("news", 3);
    await line.settle();
    expect(line.atClient).toEqual([1, 2, 3]);
  });

  test("a duplicated event runs twice and its caller gets one reply", async () => {
    await using line = await open();
    const end = line.link.duplicate("toServer");
    expect(await line.call(1)).toBe(-1);
    await line.settle();
    expect(line.atServer).toEqual([1, 1]);
    end();
    line.link.duplicate("toClient");
    line.io.emit("news", 5);
    expect(await line.call(2)).toBe(-2);
    expect(line.atClient).toEqual([5, 5]);
    expect(line.atServer).toEqual([1, 1, 2]);
  });

  test("reordered packets change places, a rest arrives in order at the end", async () => {
    await using line = await open();
    const end = line.link.reorder("toServer", 3);
    for (const n of [1, 2, 3, 4, 5]) line.send(n);
    await line.settle();
    expect(line.atServer).toEqual([3, 2, 1]);
    end();
    await line.settle();
    expect(line.atServer).toEqual([3, 2, 1, 4, 5]);
  });

  test("lost packets never arrive", async () => {
    await using line = await open();
    const end = line.link.lose("toServer");
    line.send(1);
    end();
    line.send(2);
    await line.settle();
    expect(line.atServer).toEqual([2]);
  });

  test("faults act one after another", async () => {
    await using line = await open();
    line.link.duplicate("toServer");
    const release = line.link.hold("toServer");
    line.send(1);
    await line.settle();
    expect(line.atServer).toEqual([]);
    release();
    await line.settle();
    expect(line.atServer).toEqual([1, 1]);
  });

  test("a dropped transport loses what was held", async () => {
    await using line = await open();
    const release = line.link.hold("toServer");
    line.send(1);
    line.drop();
    release();
    await line.settle();
    expect(line.atServer).toEqual([]);
  });
});

test("wrong directions, times and sizes are TypeErrors", () => {
  const link = new Link();
  expect(() => link.hold("up" as "toServer")).toThrow(TypeError);
  expect(() => link.delay("toServer", -1)).toThrow(TypeError);
  expect(() => link.delay("toServer", Number.NaN)).toThrow(TypeError);
  expect(() => link.reorder("toServer", 1)).toThrow(TypeError);
});

test("a binary packet is delayed whole", async () => {
  await using app = await inMemory(new Server());
  const client = await app.connect();
  const release = app.link(client).hold("toServer");
  const arrived = new Promise((resolve) => app.serverSide(client).on("bytes", resolve));
  client.emit("bytes", { a: Buffer.from([1]), b: Buffer.from([2]) });
  client.emit("bytes", "later");
  release();
  expect(await arrived).toEqual({ a: Buffer.from([1]), b: Buffer.from([2]) });
});
