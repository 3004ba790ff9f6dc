import { createAdapter } from "@socket.io/redis-streams-adapter";
import { Redis as IoRedis } from "ioredis";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { recoverAfterAsking } from "socket-ingress";
import { MemoryRevocations, RedisRevocations } from "socket-ingress/auth";
import { contract } from "socket-ingress/testing";
import { needs } from "../../fixtures/needs.js";
import { type Client, type OwnRedis, ownRedis } from "../../fixtures/redis.js";
import { ended, type Gate, type GateOptions, open, tokenOf } from "./gate.js";

needs("redis")("auth on two nodes with Redis", () => {
  let redis: OwnRedis;
  let nodes: Gate[] = [];
  const clients: Client[] = [];

  async function node(options: GateOptions = {}): Promise<Gate> {
    const client = await redis.connect();
    clients.push(client);
    const adapter = recoverAfterAsking(createAdapter(client, { blockTimeInMs: 50 }));
    return open({
      server: { adapter, connectionStateRecovery: { skipMiddlewares: false } },
      revocations: new RedisRevocations(await redis.connect()),
      ...options,
    });
  }

  beforeAll(async () => {
    redis = await ownRedis();
    nodes = [await node(), await node()];
    // Until it has read something, the adapter misses what comes between two questions to the stream.
    const heard = nodes.map(() => new Set<unknown>());
    const probes = await Promise.all(nodes.map(async (gate) => gate.enter(await tokenOf("probe"))));
    for (const [i, probe] of probes.entries()) probe.on("probe", (from) => heard[i]?.add(from));
    await vi.waitFor(() => {
      for (const [i, { served }] of nodes.entries()) served.io.emit("probe", i);
      if (heard.some(({ size }) => size < nodes.length)) throw new Error("a node does not hear the other yet");
    });
    for (const probe of probes) probe.disconnect();
  });

  afterAll(async () => {
    for (const gate of nodes) await gate[Symbol.asyncDispose]();
    // The adapter waits for nothing it sends; what is on its way would be rejected, and nobody there to hear of it.
    for (const client of clients) await client.ping();
    await redis?.[Symbol.asyncDispose]();
  });

  it(
    "9. `revoke` of a user or session: cut on every node within a second; older tokens are refused on all of them",
    { timeout: 30_000 },
    async () => {
      const [here, there] = nodes as [Gate, Gate];
      for (const [who, sub] of [
        [{ user: "ann" }, "ann"],
        [{ session: "bob's" }, "bob"],
      ] as const) {
        const token = await tokenOf(sub, { sid: `${sub}'s` });
        const clients = [await here.enter(token), await there.enter(token)];
        const over = Promise.all(clients.map(ended));
        expect(await here.auth.revoke(who)).toEqual({ sockets: 2, complete: true });
        expect(await over).toMatchObject([{ reason: "revoked" }, { reason: "revoked" }]);
        for (const gate of nodes) expect(await gate.refused(token)).toMatchObject({ details: { reason: "revoked" } });
      }
    },
  );

  it(
    "10. Recovery: a revoked user gets no packet, and another user not theirs, on whichever node they come back",
    { timeout: 30_000 },
    async () => {
      const [here, there] = nodes as [Gate, Gate];
      for (const how of ["revoked", "otherUser"] as const) {
        const client = await here.enter(await tokenOf("cleo"));
        await client.emitWithAck("ingress:join", "hall");
        const heard: unknown[] = [];
        client.on("news", (n) => heard.push(n));
        await here.realtime.emitSocket("news", 0, { topic: "hall" });
        await expect.poll(() => heard).toEqual([0]);
        const { _pid: pid, _lastOffset: offset } = client as unknown as { _pid: string; _lastOffset: string };
        const side = here.served.serverSide(client);
        client.io.engine.close();
        await expect.poll(() => side.connected).toBe(false);
        await here.realtime.emitSocket("news", 1, { topic: "hall" });
        const late = there.served.client({
          auth: { token: await tokenOf(how === "revoked" ? "cleo" : "eve"), pid, offset },
        });
        if (how === "revoked") await there.auth.revoke({ user: "cleo" });
        late.onAny((event) => heard.push(event));
        const data = await new Promise((resolve) => {
          late.once("connect", () => resolve("in"));
          late.once("connect_error", (error) => resolve((error as { data?: unknown }).data));
          late.connect();
        });
        expect(data).toMatchObject({ details: { reason: how } });
        expect(heard).toEqual([0]);
        if (how === "revoked") await new Promise((resolve) => setTimeout(resolve, 1_100));
      }
    },
  );

  it(
    "keeps its revocations where a node is started again, and tells no lies when Redis is gone",
    { timeout: 30_000 },
    async () => {
      const token = await tokenOf("dora");
      await using before = await node();
      await before.auth.revoke({ user: "dora" });
      await before[Symbol.asyncDispose]();
      await using after = await node();
      expect(await after.refused(token)).toMatchObject({ details: { reason: "revoked" } });
      const dead = { call: () => Promise.reject(new Error("gone")) };
      await using cut = await node({ revocations: new RedisRevocations(dead), alone: true });
      expect(await cut.refused(await tokenOf("gus"))).toMatchObject({ code: "OVERLOADED" });
    },
  );

  it("its store keeps what a store of revocations promises, with either library", { timeout: 30_000 }, async () => {
    const ioredis = new IoRedis(redis.path);
    for (const client of [await redis.connect(), ioredis])
      for (const { run } of contract(new RedisRevocations(client, { prefix: "mine:" }))) await run();
    ioredis.disconnect();
    expect(contract(new MemoryRevocations()).length).toBeGreaterThan(5);
  });

  it(
    "whoever is ended hears why where connections are recovered, too: `realtime.disconnect` says so as well",
    { timeout: 30_000 },
    async () => {
      const [here, there] = nodes as [Gate, Gate];
      const client = await there.enter(await tokenOf("hal"));
      const over = ended(client);
      expect(await here.realtime.disconnect({ user: "hal" }, { code: "CONFLICT", message: "go" })).toMatchObject({
        sockets: 1,
      });
      expect(await over).toEqual({ code: "CONFLICT", message: "go" });
    },
  );

  it("its store forgets what has been kept for long enough", async () => {
    const client = await redis.connect();
    await new RedisRevocations(client, { keepMs: 60_000 }).revoke({ user: "ann" }, Date.now() + 60_000);
    expect(await client.pTTL("{ingress}:revoked:user:ann")).toBeLessThanOrEqual(60_000);
    expect(await client.pTTL("{ingress}:revoked:user:ann")).toBeGreaterThan(0);
    expect(() => new RedisRevocations(client, { keepMs: 0 })).toThrow(/RedisRevocations: keepMs must be/);
    expect(() => new RedisRevocations({} as never)).toThrow(/RedisRevocations expects a client/);
  });
});
