import { describe, expect, it } from "vitest";
import type { PresenceChange } from "socket-ingress/realtime";
import { open } from "./door.js";

const PRESENCE = "ingress:presence";

describe("presence at a topic", () => {
  it("is by user, not by tab: who joins gets the state, the others one difference", async () => {
    await using door = await open();
    door.realtime.topics.define("t", { public: true, presence: true });
    const [ada1, ada2, grace] = await Promise.all([
      door.enter({ user: "ada" }),
      door.enter({ user: "ada" }),
      door.enter({ user: "grace" }),
    ]);
    expect(await grace.join("t")).toEqual({ presence: [{ user: "grace" }] });
    expect(await ada1.join("t")).toEqual({ presence: [{ user: "grace" }, { user: "ada" }] });
    await ada2.join("t");
    await grace.caughtUp();
    expect(grace.got(PRESENCE)).toEqual([
      { topic: "t", joined: [{ user: "grace" }] },
      { topic: "t", joined: [{ user: "ada" }] },
    ]);
    expect(door.realtime.list("t")).toEqual([{ user: "grace" }, { user: "ada" }]);
  });

  it("ends once, when the last tab has been gone for the grace period", async () => {
    await using door = await open({ presence: { graceMs: 30 } });
    door.realtime.topics.define("t", { public: true, presence: true });
    const [ada1, ada2, grace] = await Promise.all([
      door.enter({ user: "ada" }),
      door.enter({ user: "ada" }),
      door.enter({ user: "grace" }),
    ]);
    for (const client of [grace, ada1, ada2]) await client.join("t");
    await ada1.leave("t");
    ada2.socket.disconnect();
    await grace.next(PRESENCE);
    await grace.next(PRESENCE);
    expect(await grace.next(PRESENCE)).toEqual({ topic: "t", left: [{ user: "ada" }] });
    expect(door.realtime.list("t")).toEqual([{ user: "grace" }]);
  });

  it("survives a reload within the grace period", async () => {
    await using door = await open({ presence: { graceMs: 60_000 } });
    door.realtime.topics.define("t", { public: true, presence: true });
    const [ada, grace] = [await door.enter({ user: "ada" }), await door.enter({ user: "grace" })];
    await grace.join("t");
    await ada.join("t");
    const gone = new Promise((resolve) => door.served.serverSide(ada.socket).once("disconnect", resolve));
    ada.socket.disconnect();
    await gone;
    const again = await door.enter({ user: "ada" });
    await again.join("t");
    await grace.caughtUp();
    expect(grace.got(PRESENCE)).toHaveLength(2);
    expect(door.realtime.list("t")).toHaveLength(2);
  });

  it("carries what the server says about a user, and never a client's own claim or a session", async () => {
    await using door = await open();
    door.realtime.topics.define("t", {
      public: true,
      presence: ({ socket }) => ({ name: door.realtime.identify(socket).user?.toUpperCase() }),
    });
    const ada = await door.enter({ user: "ada", session: "secret-session" });
    const joined = await ada.join("t");
    expect(joined).toEqual({ presence: [{ user: "ada", info: { name: "ADA" } }] });
    await ada.caughtUp();
    expect(JSON.stringify(ada.events)).not.toContain("secret-session");
  });

  it("does not list sockets without a user, and nobody at a topic without presence", async () => {
    await using door = await open();
    door.realtime.topics.define("with", { public: true, presence: true });
    door.realtime.topics.define("without", { public: true });
    const [nobody, ada] = [await door.enter(), await door.enter({ user: "ada" })];
    expect(await nobody.join("with")).toEqual({ presence: [] });
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
    await grace.caughtUp();
    expect(grace.got(PRESENCE).at(-1)).toEqual({ topic: "t", left: [{ user: "ada" }] });
  });

  it("follows a login", async () => {
    await using door = await open({ presence: { graceMs: 60_000 } });
    door.realtime.topics.define("t", { public: true, presence: true });
    const [client, grace] = [await door.enter({ user: "anonymous-1" }), await door.enter({ user: "grace" })];
    await grace.join("t");
    await client.join("t");
    await door.realtime.setUser(door.served.serverSide(client.socket), "ada");
    await grace.caughtUp();
    const changes = grace.got(PRESENCE) as PresenceChange[];
    expect(changes.slice(2)).toEqual([
      { topic: "t", left: [{ user: "anonymous-1" }] },
      { topic: "t", joined: [{ user: "ada" }] },
    ]);
    await client.caughtUp();
    expect(client.got(PRESENCE).at(-1)).toEqual({ topic: "t", state: [{ user: "grace" }, { user: "ada" }] });
  });

  it("tells a client no difference between the state it was answered with and the answer", async () => {
    await using door = await open();
    door.realtime.topics.define("t", {
      public: true,
      presence: true,
      snapshot: () => new Promise((resolve) => setImmediate(resolve)),
    });
    const clients = await Promise.all(Array.from({ length: 20 }, (_, index) => door.enter({ user: `u${index}` })));
    const views = await Promise.all(
      clients.map(async (client) => {
        const seen = new Set<string>();
        let known = false;
        client.socket.on(PRESENCE, ({ joined = [], left = [] }: PresenceChange) => {
          if (!known) return;
          for (const { user } of joined) seen.add(user);
          for (const { user } of left) seen.delete(user);
        });
        await new Promise<void>((resolve) => {
          client.socket.emit("ingress:join", "t", ({ presence = [] }: { presence?: { user: string }[] }) => {
            known = true;
            for (const { user } of presence) seen.add(user);
            resolve();
          });
        });
        return seen;
      }),
    );
    await Promise.all(clients.map((client) => client.caughtUp()));
    for (const seen of views) expect(seen.size).toBe(20);
  });
});
