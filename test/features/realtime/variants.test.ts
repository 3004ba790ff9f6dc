import { describe, expect, it } from "vitest";
import { memoryCluster } from "socket-ingress/testing";
import { Audience, topic, union, user } from "socket-ingress/realtime";
import { open, type Door } from "./door.js";

const roles: Readonly<Record<string, string>> = { ada: "admin", grace: "reader" };

async function withRoles(options: Parameters<typeof open>[0] = {}): Promise<Door> {
  const door = await open(options);
  door.realtime.topics.define("doc:{id}", { public: true, variant: ({ user: id }) => roles[id ?? ""] });
  return door;
}

describe("a push to a variant of a topic", () => {
  it("reaches those whose variant it is, and a push to the topic everybody", async () => {
    await using door = await withRoles();
    const clients = [await door.enter({ user: "ada" }), await door.enter({ user: "grace" }), await door.enter()];
    for (const client of clients) await client.join("doc:1");
    await door.realtime.emitSocket("e", "admins", { topic: "doc:1", variant: "admin" });
    await door.realtime.emitSocket("e", "readers", topic("doc:1", "reader"));
    await door.realtime.emitSocket("e", "all", { topic: "doc:1" });
    await door.realtime.emitSocket("e", "nobody", { topic: "doc:1", variant: "adm" });
    await door.realtime.emitSocket("e", "of another", { topic: "doc:2", variant: "admin" });
    for (const client of clients) await client.caughtUp();
    expect(clients.map((client) => client.got("e"))).toEqual([["admins", "all"], ["readers", "all"], ["all"]]);
  });

  it("goes by the user of now: after a login or a logout no push of the old one arrives", async () => {
    await using door = await withRoles();
    const client = await door.enter({ user: "ada" });
    await client.join("doc:1");
    const socket = door.served.serverSide(client.socket);
    const push = async (): Promise<void> => {
      for (const variant of ["admin", "reader"])
        await door.realtime.emitSocket("e", variant, { topic: "doc:1", variant });
    };
    await door.realtime.setUser(socket, "grace");
    await push();
    await door.realtime.setUser(socket, undefined);
    await push();
    await client.leave("doc:1");
    await door.realtime.setUser(socket, "ada");
    await push();
    await client.caughtUp();
    expect(client.got("e")).toEqual(["reader"]);
  });

  it("is plain data, which says what it means", async () => {
    const { data } = union(topic("a", "x"), user("ada"));
    expect(Audience.from(JSON.parse(JSON.stringify(data))).data).toEqual(data);
    expect(() => Audience.from({ kind: "user", id: "a", variant: "x" })).toThrow(
      /a variant is a non-empty string, and a topic's/,
    );
    expect(() => topic("a", "")).toThrow(TypeError);
    await using door = await withRoles();
    for (const target of [{ variant: "x" }, { topic: "a", variant: undefined }, { user: "a", variant: "x" }])
      expect(() => door.realtime.emitSocket("e", 1, target as never)).toThrow(
        /variant must be a string beside a topic/,
      );
  });

  it("that is no name is the policy's fault, and refuses the join", async () => {
    await using door = await open();
    door.realtime.topics.define("t", { public: true, variant: () => 5 as never });
    const client = await door.enter();
    expect(await client.join("t")).toMatchObject({ error: { code: "INTERNAL" } });
    expect(await door.realtime.count({ topic: "t" })).toMatchObject({ sockets: 0 });
  });
});

describe("a push to several topics", () => {
  it("reaches each socket once", async () => {
    await using door = await withRoles();
    const [both, one] = [await door.enter(), await door.enter()];
    for (const name of ["doc:1", "doc:2"]) await both.join(name);
    await one.join("doc:2");
    await door.realtime.emitSocket("e", 1, { topics: ["doc:1", "doc:2"] });
    await door.realtime.emitSocket("e", 2, { topics: [] });
    await Promise.all([both.caughtUp(), one.caughtUp()]);
    expect([both.got("e"), one.got("e")]).toEqual([[1], [1]]);
    expect(() => door.realtime.emitSocket("e", 1, { topics: "doc:1" as never })).toThrow(/topics must be a list/);
  });
});

describe("on two nodes", () => {
  async function two(): Promise<readonly [Door, Door]> {
    const { adapter } = memoryCluster();
    return [await withRoles({ server: { adapter } }), await withRoles({ server: { adapter } })];
  }

  it("a variant is reached on both, and a local push on its own node", async () => {
    const [first, second] = await two();
    await using _first = first;
    await using _second = second;
    const clients = [await first.enter({ user: "ada" }), await second.enter({ user: "ada" })];
    for (const client of clients) await client.join("doc:1");
    await first.realtime.emitSocket("e", "both", { topic: "doc:1", variant: "admin" });
    expect(await first.realtime.emitSocket("e", "here", { topic: "doc:1" }, { local: true, count: true })).toEqual({
      sockets: 1,
      nodes: 1,
      complete: true,
    });
    await first.realtime.emitSocket("e", "here too", topic("doc:1").and(user("ada")), { local: true });
    await first.realtime.emitSocket("end", 1);
    await Promise.all(clients.map((client) => client.next("end")));
    expect(clients.map((client) => client.got("e"))).toEqual([["both", "here", "here too"], ["both"]]);
  });

  it("an audience is disconnected on both, and told why and when to come back", async () => {
    const [first, second] = await two();
    await using _first = first;
    await using _second = second;
    const adas = [await first.enter({ user: "ada" }), await second.enter({ user: "ada" })];
    const other = await second.enter({ user: "grace" });
    const gone = adas.map(({ socket }) => new Promise((resolve) => socket.once("disconnect", resolve)));
    const reason = { code: "UNAUTHENTICATED", message: "signed out elsewhere", retryAfterMs: 50 };
    expect(await first.realtime.disconnect(user("ada"), reason)).toEqual({ sockets: 2, nodes: 2, complete: true });
    expect(await Promise.all(gone)).toEqual(["io server disconnect", "io server disconnect"]);
    for (const ada of adas) expect(ada.got("ingress:ended")).toEqual([reason]);
    await other.caughtUp();
    expect(other.events).toEqual([]);
    expect(() => first.realtime.disconnect({})).toThrow(TypeError);
    expect(() => first.realtime.disconnect(user("a"), { code: "" })).toThrow(/code must be a non-empty string/);
    expect(() => first.realtime.disconnect(user("a"), { retryAfterMs: -1 })).toThrow(/retryAfterMs/);
  });

  it("a feature tells and asks the other node, and hears nothing of itself or of others", async () => {
    const [first, second] = await two();
    await using _first = first;
    await using _second = second;
    const heard: unknown[] = [];
    const here = first.realtime.cluster("scores");
    const there = second.realtime.cluster("scores");
    here.on("changed", () => heard.push("itself"));
    second.realtime.cluster("other").on("changed", () => heard.push("another feature"));
    const off = there.on("changed", (data) => heard.push(data));
    there.on("best", (room: number) => room * 2);
    there.on("nothing", () => undefined);
    there.on("fails", () => {
      throw new Error("no");
    });
    await here.tell("changed", { room: 42 });
    expect(await here.ask("best", 21)).toEqual({ answers: [42], complete: true });
    expect(await here.ask("nothing")).toMatchObject({ complete: true });
    expect(await here.ask("fails")).toEqual({ answers: [], complete: false });
    expect(await here.ask("unknown")).toEqual({ answers: [], complete: false });
    expect(heard).toEqual([{ room: 42 }]);
    off();
    await here.tell("changed", 1);
    await here.ask("best", 1);
    expect(heard).toHaveLength(1);
    expect(() => there.on("best", () => 1)).toThrow(/has a listener already/);
    expect(() => here.tell("changed", 1n)).toThrow(/can't be sent/);
    expect(() => first.realtime.cluster("")).toThrow(TypeError);
  });
});
