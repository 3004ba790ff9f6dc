import { describe, expect, it, vi } from "vitest";
import type { PresenceChange } from "socket-ingress/realtime";
import { type Client, open } from "./door.js";

const PRESENCE = "ingress:presence";
const version = [expect.any(String), expect.any(Number)];

/** Who a client takes to be there, by what it was told. */
function told(client: Client): string[] {
  const users = new Set<string>();
  for (const { state, joined = [], left = [] } of client.got(PRESENCE) as PresenceChange[]) {
    if (state) users.clear();
    for (const user of left) users.delete(user);
    for (const entry of [...(state ?? []), ...joined]) users.add(typeof entry === "string" ? entry : entry.user);
  }
  return [...users].sort();
}

/** How often a client was told that somebody came, or went. */
function mentions(client: Client, of: "joined" | "left", user: string): number {
  return (client.got(PRESENCE) as PresenceChange[]).flatMap((change) => change[of] ?? []).filter((it) => it === user)
    .length;
}

describe("presence at a topic", () => {
  it("is by user, not by tab: who joins gets the state, the others what is different", async () => {
    await using door = await open();
    door.realtime.topics.define("t", { public: true, presence: true });
    const [ada1, ada2, grace] = await Promise.all([
      door.enter({ user: "ada" }),
      door.enter({ user: "ada" }),
      door.enter({ user: "grace" }),
    ]);
    expect(await grace.join("t")).toEqual({ presence: { version, state: ["grace"] } });
    expect(await grace.next(PRESENCE)).toEqual({ topic: "t", version, joined: ["grace"] });
    expect(await ada1.join("t")).toEqual({ presence: { version, state: ["grace", "ada"] } });
    expect(await grace.next(PRESENCE)).toEqual({ topic: "t", version, joined: ["ada"] });
    await ada2.join("t");
    expect(door.realtime.list("t")).toEqual([{ user: "grace" }, { user: "ada" }]);
    await door.realtime.revoke("ada", "t");
    await grace.next(PRESENCE);
    expect(mentions(grace, "joined", "ada")).toBe(1);
  });

  it("tells what happens within a while together, at the pace of the topic", async () => {
    await using door = await open();
    door.realtime.topics.define("t", { public: true, presence: { batchMs: 50 } });
    const clients = await Promise.all(Array.from({ length: 10 }, (_, index) => door.enter({ user: `u${index}` })));
    await Promise.all(clients.map((client) => client.join("t")));
    const first = clients[0] as Client;
    await vi.waitFor(() => expect(told(first)).toHaveLength(10));
    expect(first.got(PRESENCE).length).toBeLessThan(10);
  });

  it("ends at once with a leave", async () => {
    await using door = await open({ presence: { graceMs: 60_000 } });
    door.realtime.topics.define("t", { public: true, presence: true });
    const [ada, grace] = [await door.enter({ user: "ada" }), await door.enter({ user: "grace" })];
    for (const client of [grace, ada]) await client.join("t");
    await ada.leave("t");
    expect(door.realtime.list("t")).toEqual([{ user: "grace" }]);
    await vi.waitFor(() => expect(mentions(grace, "left", "ada")).toBe(1));
  });

  it("ends once, when the last tab has been lost for the grace period", async () => {
    await using door = await open({ presence: { graceMs: 30 } });
    door.realtime.topics.define("t", { public: true, presence: true });
    const [ada1, ada2, grace] = await Promise.all([
      door.enter({ user: "ada" }),
      door.enter({ user: "ada" }),
      door.enter({ user: "grace" }),
    ]);
    for (const client of [grace, ada1, ada2]) await client.join("t");
    await ada1.leave("t");
    expect(door.realtime.list("t")).toHaveLength(2);
    ada2.socket.disconnect();
    await vi.waitFor(() => expect(told(grace)).toEqual(["grace"]));
    expect(mentions(grace, "left", "ada")).toBe(1);
    expect(door.realtime.list("t")).toEqual([{ user: "grace" }]);
  });

  it("survives a reload within the grace period, of which nobody is told; who says what they know is told nothing", async () => {
    await using door = await open({ presence: { graceMs: 60_000 } });
    door.realtime.topics.define("t", { public: true, presence: true });
    const [ada, grace] = [await door.enter({ user: "ada" }), await door.enter({ user: "grace" })];
    await grace.join("t");
    await ada.join("t");
    await vi.waitFor(() => expect(told(grace)).toEqual(["ada", "grace"]));
    const known = (grace.got(PRESENCE).at(-1) as PresenceChange).version;
    const gone = new Promise((resolve) => door.served.serverSide(ada.socket).once("disconnect", resolve));
    ada.socket.disconnect();
    await gone;
    const again = await door.enter({ user: "ada" });
    expect(await again.join({ topic: "t", presence: known })).toEqual({ presence: { version: known } });
    const eve = await door.enter({ user: "eve" });
    await eve.join("t");
    await vi.waitFor(() => expect(told(grace)).toEqual(["ada", "eve", "grace"]));
    expect([mentions(grace, "joined", "ada"), mentions(grace, "left", "ada")]).toEqual([1, 0]);
    const third = await door.enter({ user: "ada" });
    expect(await third.join({ topic: "t", presence: known })).toEqual({ presence: { version, joined: ["eve"] } });
  });

  it.each([[5], ["e"], [["e"]], [["e", -1]], [["e", 1.5]], [[5, 1]], [["e".repeat(65), 1]], [["e", 1, 2]]])(
    "is not joined with the version %j",
    async (presence) => {
      await using door = await open();
      door.realtime.topics.define("t", { public: true, presence: true });
      const ada = await door.enter({ user: "ada" });
      expect(await ada.join({ topic: "t", presence })).toMatchObject({ error: { code: "INVALID_INPUT" } });
      expect(door.realtime.list("t")).toEqual([]);
    },
  );

  it("is a number above the maximum", async () => {
    await using door = await open();
    door.realtime.topics.define("t", { public: true, presence: { max: 2, batchMs: 10 } });
    const clients = await Promise.all(["ada", "bob", "cyd"].map((user) => door.enter({ user })));
    const [ada, bob, cyd] = clients as [Client, Client, Client];
    await ada.join("t");
    await bob.join("t");
    expect(await cyd.join("t")).toEqual({ presence: { version, count: 3 } });
    await vi.waitFor(() => expect(ada.got(PRESENCE).at(-1)).toEqual({ topic: "t", version, count: 3 }));
    expect(door.realtime.list("t")).toHaveLength(3);
    for (const client of [bob, cyd]) await client.leave("t");
    await vi.waitFor(() => expect(ada.got(PRESENCE).at(-1)).toEqual({ topic: "t", version, state: ["ada"] }));
  });

  it("carries what the server says about a user, and never a client's own claim or a session", async () => {
    await using door = await open();
    const info = ({ user }: { user: string | undefined }): unknown => ({ name: user?.toUpperCase() });
    door.realtime.topics.define("as a function", { public: true, presence: info });
    door.realtime.topics.define("as a setting", { public: true, presence: { info, batchMs: 10 } });
    const ada = await door.enter({ user: "ada", session: "secret-session" });
    for (const topic of ["as a function", "as a setting"])
      expect(await ada.join(topic)).toEqual({ presence: { version, state: [{ user: "ada", info: { name: "ADA" } }] } });
    await ada.next(PRESENCE);
    await ada.next(PRESENCE);
    expect(JSON.stringify(ada.events)).not.toContain("secret-session");
  });

  it("does not list sockets without a user, and nobody at a topic without presence", async () => {
    await using door = await open();
    door.realtime.topics.define("with", { public: true, presence: true });
    door.realtime.topics.define("without", { public: true });
    const [nobody, ada] = [await door.enter(), await door.enter({ user: "ada" })];
    expect(await nobody.join("with")).toEqual({ presence: { version, state: [] } });
    expect(await ada.join("without")).toEqual({});
    expect(door.realtime.list("with")).toEqual([]);
    expect(door.realtime.list("without")).toEqual([]);
  });

  it("of an evicted user ends at once", async () => {
    await using door = await open({ presence: { graceMs: 60_000 } });
    door.realtime.topics.define("t", { public: true, presence: true });
    const [ada, grace] = [await door.enter({ user: "ada" }), await door.enter({ user: "grace" })];
    await grace.join("t");
    await ada.join("t");
    await door.realtime.revoke("ada", "t");
    await vi.waitFor(() => expect(mentions(grace, "left", "ada")).toBe(1));
  });

  it("follows a login", async () => {
    await using door = await open({ presence: { graceMs: 60_000 } });
    door.realtime.topics.define("t", { public: true, presence: true });
    const [client, grace] = [await door.enter({ user: "anonymous-1" }), await door.enter({ user: "grace" })];
    await grace.join("t");
    await client.join("t");
    await door.realtime.setUser(door.served.serverSide(client.socket), "ada");
    expect(door.realtime.list("t")).toEqual([{ user: "grace" }, { user: "ada" }]);
    for (const each of [client, grace]) await vi.waitFor(() => expect(told(each)).toEqual(["ada", "grace"]));
  });

  it("tells a client no difference between the state it was answered with and the answer", async () => {
    await using door = await open();
    door.realtime.topics.define("t", {
      public: true,
      presence: { batchMs: 1 },
      snapshot: () => new Promise((resolve) => setImmediate(resolve)),
    });
    const clients = await Promise.all(Array.from({ length: 20 }, (_, index) => door.enter({ user: `u${index}` })));
    const views = await Promise.all(
      clients.map(async (client) => {
        const seen = new Set<string>();
        let known = false;
        client.socket.on(PRESENCE, ({ joined = [], left = [] }: PresenceChange) => {
          if (!known) return;
          for (const user of joined as string[]) seen.add(user);
          for (const user of left) seen.delete(user);
        });
        await new Promise<void>((resolve) => {
          client.socket.emit("ingress:join", "t", ({ presence }: { presence: { state: string[] } }) => {
            known = true;
            for (const user of presence.state) seen.add(user);
            resolve();
          });
        });
        return seen;
      }),
    );
    for (const seen of views) await vi.waitFor(() => expect(seen.size).toBe(20));
  });
});

describe("a topic is not declared with a presence that", () => {
  it.each([
    ["is no presence", "yes", /presence must be true, a function or settings, got "yes"/],
    ["waits less than nothing", { batchMs: -1 }, /presence\.batchMs must be milliseconds from 0/],
    [
      "has a maximum of one and a half",
      { max: 1.5 },
      /presence\.max must be a whole number from 0, or Infinity, got 1\.5/,
    ],
    ["says something that is no function", { info: "name" }, /presence\.info must be a function, got "name"/],
  ])("%s", async (_, presence, message) => {
    await using door = await open();
    const define = (): unknown => door.realtime.topics.define("t", { public: true, presence: presence as never });
    expect(define).toThrow(message);
    expect(define).toThrow(TypeError);
  });
});
