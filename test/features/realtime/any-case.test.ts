import { createClient, type JoinedTopic } from "socket-ingress/client";
import { describe, expect, it } from "vitest";
import { codeOf } from "../../fixtures/ingress.js";
import { open } from "./door.js";
import { readPositions } from "./position-reader.js";

describe("a topic whose name may be written in any case", () => {
  it("is the one that was declared: its fixed parts alone, for joins and leaves", async () => {
    await using door = await open();
    door.realtime.topics.define("post/{field}/{value}", { public: true, anyCase: true });
    door.realtime.topics.define("exact", { public: true });
    const client = await door.enter();
    expect(await client.join("POST/author/Ann")).toEqual({});
    expect(door.realtime.topicsOf({ id: client.id })).toEqual(["post/author/Ann"]);
    for (const name of ["EXACT", "post/author", "POST/author/", "POST:author:Ann"])
      expect(codeOf(await client.join(name)), name).toBe("FORBIDDEN");
    await door.realtime.emitSocket("e", 1, { topic: "post/author/Ann" });
    await door.realtime.emitSocket("e", 2, { topic: "post/author/ann" });
    await client.leave("Post/author/Ann");
    await door.realtime.emitSocket("e", 3, { topic: "post/author/Ann" });
    await client.caughtUp();
    expect(client.got("e")).toEqual([1]);
  });

  it("is itself, where another is declared in that case", async () => {
    await using door = await open();
    door.realtime.topics.define("post", { public: true, anyCase: true });
    door.realtime.topics.define("Post", { join: () => false });
    const client = await door.enter();
    expect(codeOf(await client.join("Post"))).toBe("FORBIDDEN");
    expect(await client.join("POST")).toEqual({});
  });

  it("is answered in a list under the name that the client wrote, and told by its own", async () => {
    await using door = await open();
    door.realtime.topics.define("a", { public: true, anyCase: true, history: {} });
    door.realtime.topics.define("b", { join: () => false, anyCase: true, history: {} });
    const client = await door.enter();
    const reader = readPositions(client.socket);
    const { answers, refused } = await reader.join("A", "a", "B");
    expect(answers).toMatchObject([{}, {}, { error: { code: "FORBIDDEN" } }]);
    expect(refused).toEqual(["B"]);
    expect(reader.frames.at(-1)).toMatchObject([[expect.any(String), 0], ["a"], []]);
    await door.realtime.emitSocket("e", 1, { topic: "a" });
    await reader.until(1);
    expect(reader.got).toEqual([1]);
  });
});

it("a client that writes a topic in another case is told after a reconnect that it has missed something", async () => {
  await using door = await open();
  door.realtime.topics.define("a", { public: true, anyCase: true, history: {} });
  const { socket } = await door.enter();
  const client = createClient(socket);
  const joined: JoinedTopic[] = [];
  const got: unknown[] = [];
  client.on("e", (n: unknown) => got.push(n));
  await client.joinTopic("A", { onJoined: (how) => joined.push(how) });
  await door.realtime.emitSocket("e", 1, { topic: "a" });
  await expect.poll(() => got).toEqual([1]);
  socket.disconnect();
  await door.realtime.emitSocket("e", 2, { topic: "a" });
  socket.connect();
  await expect.poll(() => joined.length).toBe(2);
  await door.realtime.emitSocket("e", 3, { topic: "a" });
  await expect.poll(() => got).toEqual([1, 3]);
  expect(joined[1]).toMatchObject({ rejoined: true, recovered: false });
  client.close();
});
