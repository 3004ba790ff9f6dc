import { describe, expect, it, vi } from "vitest";
import { memoryCluster } from "socket-ingress/testing";
import type { GrantedContext } from "socket-ingress/realtime";
import { deferred, open } from "./door.js";

describe("`granted` of a topic", () => {
  it("is told at each admission and each time the policy says yes again, when the grant holds; never of a refusal", async () => {
    const roles = new Map([["ada", "write"]]);
    const granted = vi.fn(({ socket, topic }: GrantedContext) => door.realtime.grantOf(socket, topic));
    await using door = await open();
    door.realtime.topics.define("doc:{id}", { join: ({ user = "" }) => roles.get(user) ?? false, granted });
    const [ada, eve] = [await door.enter({ user: "ada" }), await door.enter({ user: "eve" })];
    await ada.join("doc:1");
    await eve.join("doc:1");
    expect(granted.mock.calls).toMatchObject([[{ topic: "doc:1", user: "ada", grant: "write" }, { id: "1" }]]);
    expect(granted.mock.results).toEqual([{ type: "return", value: "write" }]);
    roles.set("ada", "read");
    await door.realtime.review("ada");
    expect(granted.mock.results[1]).toEqual({ type: "return", value: "read" });
    roles.delete("ada");
    await door.realtime.review("ada");
    expect(granted).toHaveBeenCalledTimes(2);
    await ada.next("ingress:evicted");
  });

  it("keeps nobody out by what it throws, which is logged", async () => {
    await using door = await open();
    door.realtime.topics.define("doc:{id}", {
      public: true,
      granted: () => {
        throw new Error("no");
      },
    });
    const ada = await door.enter({ user: "ada" });
    expect(await ada.join("doc:1")).toEqual({});
    expect(door.log.lines.filter(({ level }) => level === "error")).toHaveLength(1);
  });
});

describe("review", () => {
  it("asks the policies of all topics of a user on all nodes, and resolves when what they say holds", async () => {
    const { adapter } = memoryCluster();
    const allowed = new Set(["ada"]);
    const node = () =>
      open({
        server: { adapter },
        before: (_, { topics }) => topics.define("doc:{id}", { join: ({ user = "" }) => allowed.has(user) }),
      });
    await using one = await node();
    await using two = await node();
    const [here, there, eve] = [
      await one.enter({ user: "ada" }),
      await two.enter({ user: "ada" }),
      await two.enter({ user: "eve" }),
    ];
    for (const client of [here, there]) await client.join("doc:1");
    await eve.join("doc:1");
    expect(await one.realtime.review("ada")).toEqual({ sockets: 2, nodes: 2, complete: true });
    expect(await one.realtime.count({ topic: "doc:1" })).toMatchObject({ sockets: 2 });
    allowed.clear();
    await one.realtime.review("ada");
    expect(await one.realtime.count({ topic: "doc:1" })).toMatchObject({ sockets: 0 });
  });

  it("takes nobody out while the policy thinks", async () => {
    await using door = await open();
    const verdict = deferred();
    let asked = 0;
    door.realtime.topics.define("doc:{id}", { join: async () => asked++ > 0 && (await verdict.promise) });
    door.realtime.topics.define("other:{id}", { public: true });
    expect(() => door.realtime.review("")).toThrow(TypeError);
    expect(() => door.realtime.review(undefined as never)).toThrow("review: expected the id of a user");
    expect(await door.realtime.review("nobody")).toMatchObject({ sockets: 0 });
  });
});
