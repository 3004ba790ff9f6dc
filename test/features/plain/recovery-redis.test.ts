import { createAdapter } from "@socket.io/redis-streams-adapter";
import { recoverAfterAsking } from "socket-ingress";
import { RedisTopicLog, user } from "socket-ingress/realtime";
import { expect, it, vi } from "vitest";
import { needs } from "../../fixtures/needs.js";
import { ownRedis } from "../../fixtures/redis.js";
import { envelope, openPlain, type PlainDoor } from "./plain-door.js";

const within = { interval: 10 };

needs("redis")("over Redis streams, with connection state recovery", () => {
  // Socket.IO puts its own argument behind what goes by the stream, and not behind frames with positions.
  it("an event stream that comes back to another node is told what it missed, of topics with a history and of all else", async () => {
    await using redis = await ownRedis();
    const adapters: Awaited<ReturnType<typeof redis.connect>>[] = [];
    const node = async (): Promise<PlainDoor> => {
      const [forAdapter, forLog] = [await redis.connect(), await redis.connect()];
      adapters.push(forAdapter);
      return openPlain(
        {},
        {
          log: new RedisTopicLog(forLog),
          server: {
            adapter: recoverAfterAsking(createAdapter(forAdapter, { blockTimeInMs: 50 })),
            connectionStateRecovery: { skipMiddlewares: false },
          },
        },
      );
    };
    {
      await using here = await node();
      await using there = await node();
      const query = "?user=ada&topic=author&topic=chat";
      const stream = await here.stream(query);
      // Nodes that have just started hear nothing of each other until they have read an entry.
      await vi.waitFor(async () => {
        await there.door.realtime.emitSocket("hello", "first", user("ada"));
        expect(stream.got("hello")).toContain("first");
      }, within);
      await there.change(1);
      await vi.waitFor(() => expect(stream.got("change")).toEqual([envelope(1)]), within);
      stream.close();
      await here.sockets(0);
      await here.door.realtime.emitSocket("hello", "missed", user("ada"));
      await here.change(2);
      await there.door.realtime.emitSocket("said", "missed, too", { topic: "chat" });
      await using back = await there.stream(query, { lastId: stream.lastId });
      await here.change(3);
      await here.door.realtime.emitSocket("hello", "live", user("ada"));
      await vi.waitFor(() => {
        expect(back.got("hello").filter((text) => text !== "first")).toEqual(["missed", "live"]);
        expect(back.got("said")).toEqual(["missed, too"]);
        expect(back.got("change")).toEqual([2, 3].map(envelope));
      }, within);
      expect(back.got("refetch")).toEqual([]);
    }
    // What they said last is behind what they wait for.
    for (const client of adapters) await client.ping().catch(() => undefined);
  }, 60_000);
});
