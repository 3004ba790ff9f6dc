import { createAdapter } from "@socket.io/redis-streams-adapter";
import { expect, it, vi } from "vitest";
import { createEmitter, topic, user } from "socket-ingress/realtime";
import { needs } from "../../fixtures/needs.js";
import { ownRedis, type Client as RedisClient, type OwnRedis } from "../../fixtures/redis.js";
import { open, type Door } from "./door.js";

it("an emitter without an adapter is a mistake: it would speak to nobody", async () => {
  await expect(createEmitter({} as never)).rejects.toThrow(/createEmitter: expected an adapter .* got undefined/);
});

/** A server, and the clients of Redis for as many emitters as are needed. */
async function serverOnRedis(redis: OwnRedis): Promise<{ door: Door; client: RedisClient; worker: RedisClient }> {
  const client = await redis.connect();
  const door = await open({
    io: (io) => void io.adapter(createAdapter(client, { blockTimeInMs: 50 })),
    before: (_manager, realtime) => realtime.topics.define("news", { join: () => true }),
  });
  return { door, client, worker: await redis.connect() };
}

async function nodesSeenBy({ served }: Door): Promise<number> {
  return served.io.of("/").adapter.serverCount();
}

/** How many connections a Redis has. */
async function connections(client: RedisClient): Promise<number> {
  return String(await client.sendCommand(["CLIENT", "LIST"]))
    .trim()
    .split("\n").length;
}

needs("redis")("an emitter over Redis streams", () => {
  it("know who is there as soon as they are made", async () => {
    await using redis = await ownRedis();
    const { door, client, worker } = await serverOnRedis(redis);
    await door.enter({ user: "ada" });
    await vi.waitFor(async () => expect(await nodesSeenBy(door)).toBe(1));
    for (let i = 0; i < 5; i++) {
      await using emitter = await createEmitter({ adapter: createAdapter(worker, { blockTimeInMs: 50 }) });
      expect(await emitter.emitSocket("said", 1, user("ada"), { count: true })).toEqual({
        sockets: 1,
        nodes: 1,
        complete: true,
      });
    }
    await vi.waitFor(async () => expect(await nodesSeenBy(door)).toBe(1));
    await door[Symbol.asyncDispose]();
    for (const one of [client, worker]) await one.ping();
  });

  it("pushes, counts, revokes and disconnects like a server, and is counted with them until it is closed", async () => {
    await using redis = await ownRedis();
    const { door, client, worker } = await serverOnRedis(redis);
    const ada = await door.enter({ user: "ada" });
    await ada.join("news");
    const emitter = await createEmitter({ adapter: createAdapter(worker, { blockTimeInMs: 50 }) });
    await vi.waitFor(async () => expect(await nodesSeenBy(door)).toBe(2));
    // Until it has read something, the server's adapter misses what comes between two questions to the stream.
    await vi.waitFor(async () => {
      void emitter.emitSocket("probe", 0);
      if (ada.got("probe").length === 0) throw new Error("the server hears nothing yet");
    });
    void emitter.emitSocket("said", 1, topic("news"));
    expect(await ada.next("said")).toBe(1);
    void emitter.sendTo(user("ada"), 2);
    expect(await ada.next("ingress:notify")).toEqual({ data: 2 });
    expect(await emitter.emitSocket("said", 3, { topic: "news", user: "ada" }, { count: true })).toMatchObject({
      sockets: 1,
      complete: true,
    });
    expect(await emitter.count(user("ada"))).toEqual({ sockets: 1, nodes: 1, complete: true });
    // It answers what the server asks, too.
    expect(await door.realtime.count(topic("news"))).toEqual({ sockets: 1, nodes: 1, complete: true });
    expect(await emitter.revoke("ada", "news")).toMatchObject({ sockets: 1, complete: true });
    expect(await emitter.count(topic("news"))).toMatchObject({ sockets: 0, complete: true });
    const gone = new Promise((resolve) => ada.socket.once("disconnect", resolve));
    expect(await emitter.disconnect(user("ada"), { code: "BANNED" })).toMatchObject({ sockets: 1, complete: true });
    await gone;
    expect(ada.got("ingress:ended")).toMatchObject([{ code: "BANNED" }]);
    await emitter.close();
    await emitter.close();
    await vi.waitFor(async () => expect(await nodesSeenBy(door)).toBe(1));
    await door[Symbol.asyncDispose]();
    for (const one of [client, worker]) await one.ping();
  });

  it("comes and goes a hundred times, and leaves no node and no connection behind", async () => {
    await using redis = await ownRedis();
    const { door, client, worker } = await serverOnRedis(redis);
    await vi.waitFor(async () => expect(await nodesSeenBy(door)).toBe(1));
    const before = await connections(client);
    for (let i = 0; i < 100; i++) {
      // Its reader would wait for a minute, if nobody woke it.
      const emitter = await createEmitter({ adapter: createAdapter(worker, { blockTimeInMs: 60_000 }) });
      await vi.waitFor(async () => expect(await nodesSeenBy(door)).toBe(2), { interval: 2 });
      await emitter.close();
      await vi.waitFor(async () => expect(await nodesSeenBy(door)).toBe(1), { interval: 2 });
    }
    await vi.waitFor(async () => expect(await connections(client)).toBe(before));
    await door[Symbol.asyncDispose]();
    for (const one of [client, worker]) await one.ping();
  }, 60_000);
});
