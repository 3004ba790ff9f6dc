import { expect, it } from "vitest";
import { RedisTopicLog } from "../../src/push/redis-topic-log.js";
import { Redis, redisScript } from "../../src/push/redis-client.js";

it("scripts of one turn run in their order, from the first to a Redis that does not know them", async () => {
  const known = new Set<string>();
  const ran: string[] = [];
  // As a connection has it: one command after the other.
  let line = Promise.resolve<unknown>(undefined);
  const client = {
    sendCommand: ([command, script = "", _keys, name = ""]: string[]): Promise<unknown> =>
      (line = line
        .catch(() => undefined)
        .then(() => {
          if (command === "EVAL") known.add(redisScript(script).sha);
          else if (!known.has(script)) throw new Error("NOSCRIPT No matching script");
          ran.push(name);
        })),
  };
  const redis = new Redis(client, "a test");
  const script = redisScript("return 1");
  await Promise.all(["1", "2", "3"].map((name) => redis.run(script, [], [name])));
  expect(ran).toEqual(["1", "2", "3"]);
  // One that was restarted without them is sent them again.
  known.clear();
  await redis.run(script, [], ["4"]);
  expect(ran.at(-1)).toBe("4");
});

it("a client of ioredis is called with the command, and what it rejects with is told", async () => {
  const sent: string[][] = [];
  const client = {
    async call(...args: string[]): Promise<unknown> {
      sent.push(args);
      if (args[0] === "EVALSHA") throw new Error("READONLY You can't write against a read only replica");
      return "fine";
    },
  };
  const redis = new Redis(client, "a test");
  const script = redisScript("return 1");
  expect([await redis.send("PING", "x"), await redis.run(script, ["k"], ["a"])]).toEqual(["fine", "fine"]);
  // Known by now; sent whole it would fail as well, and perhaps run twice.
  await expect(redis.run(script, ["k"], ["a"])).rejects.toThrow("READONLY");
  expect(sent).toEqual([
    ["PING", "x"],
    ["EVAL", "return 1", "1", "k", "a"],
    ["EVALSHA", script.sha, "1", "k", "a"],
  ]);
  expect(() => new RedisTopicLog(client, { prefix: 5 as never })).toThrow(
    "RedisTopicLog: prefix must be a string, got 5",
  );
});
