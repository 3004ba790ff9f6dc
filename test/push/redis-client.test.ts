import { describe, expect, it } from "vitest";
import { Redis, redisScript } from "../../src/push/redis-client.js";

const script = redisScript("return 1");

/** A client of the shape of ioredis or of node-redis, which notes what it is sent and answers with `answer`. */
function clientOf(library: "ioredis" | "redis", answer: (command: string) => unknown) {
  const sent: string[][] = [];
  const send = async (args: string[]): Promise<unknown> => {
    sent.push(args);
    return answer(args[0] as string);
  };
  const client =
    library === "redis"
      ? { sendCommand: send }
      : { call: (...args: string[]) => send(args), sendCommand: () => "an object" };
  return { client: client as { sendCommand(args: string[]): Promise<unknown> }, sent };
}

describe.each(["ioredis", "redis"] as const)("a client of %s", (library) => {
  it("is sent one command as strings", async () => {
    const { client, sent } = clientOf(library, () => "OK");
    expect(await new Redis(client, "test").send("SET", "a", "1")).toBe("OK");
    expect(sent).toEqual([["SET", "a", "1"]]);
  });

  it("is sent a script whole only if Redis does not know it", async () => {
    const known = clientOf(library, () => 1);
    expect(await new Redis(known.client, "test").run(script, ["k"], ["v"])).toBe(1);
    expect(known.sent).toEqual([["EVALSHA", script.sha, "1", "k", "v"]]);
    const unknown = clientOf(library, (command) => {
      if (command === "EVALSHA") throw new Error("NOSCRIPT No matching script. Please use EVAL.");
      return 1;
    });
    expect(await new Redis(unknown.client, "test").run(script, ["k"], ["v"])).toBe(1);
    expect(unknown.sent[1]).toEqual(["EVAL", script.text, "1", "k", "v"]);
  });

  it("that fails otherwise rejects as it does", async () => {
    const { client, sent } = clientOf(library, () => {
      throw new Error("LOADING Redis is loading the dataset in memory");
    });
    await expect(new Redis(client, "test").run(script, [], [])).rejects.toThrow("LOADING");
    expect(sent).toHaveLength(1);
  });
});

it.each([undefined, null, {}, "redis://localhost", { call: 1 }])("%j is no client", (client) => {
  expect(() => new Redis(client as never, "RedisTopicLog")).toThrow(
    /RedisTopicLog expects a client of redis or ioredis, got /,
  );
});
