import { expect, it } from "vitest";
import { Realtime } from "socket-ingress/realtime";
import { fakeServer } from "socket-ingress/testing";
import { codeOf } from "../fixtures/ingress.js";

it("the policy of a topic that says more comes first, whatever else is defined, in any order", async () => {
  for (const names of [
    ["room:{id}", "room", "room:admin"],
    ["room", "room:admin", "room:{id}"],
    ["room:admin", "room:{id}", "room"],
  ]) {
    await using io = fakeServer();
    const realtime = new Realtime();
    for (const name of names)
      realtime.topics.define(
        name,
        name === "room:admin"
          ? {
              join: () => {
                throw new Error("no");
              },
            }
          : { public: true },
      );
    await realtime.setup(io);
    const client = await io.connect();
    expect(codeOf(await client.receive("ingress:join", "room:admin"))).toBe("INTERNAL");
    expect(codeOf(await client.receive("ingress:join", "room:7"))).toEqual({});
    await realtime.teardown();
  }
});

it("a target that happens to be undefined, or a list, is refused by emitSocketRefetch instead of meaning everyone", async () => {
  await using io = fakeServer();
  const realtime = new Realtime();
  await realtime.setup(io);
  for (const wrong of [undefined, null, [], 5]) {
    expect(() => realtime.emitSocketRefetch("get_items", wrong as never)).toThrow(/options must be an object/);
  }
  await realtime.teardown();
});

it("a session that is set on a socket that has gone makes no room", async () => {
  await using io = fakeServer();
  const realtime = new Realtime();
  await realtime.setup(io);
  const client = await io.connect();
  const { server } = client;
  await client.disconnect();
  await new Promise((resolve) => setImmediate(resolve));
  void realtime.setSession(server as never, "s1");
  expect(io.of("/").adapter.rooms.size).toBe(0);
  await realtime.teardown();
});
