import { afterAll, beforeAll, expect, it, vi } from "vitest";
import type { PresenceChange } from "socket-ingress/realtime";
import type { Client } from "../door.js";
import type { Nodes } from "./nodes.js";

const PRESENCE = "ingress:presence";
const NOTIFY = "ingress:notify";

let unique = 0;

/** A name no other test uses, since the nodes are shared. */
function fresh(name: string): string {
  return `${name}-${++unique}`;
}

/** What holds with two nodes, whatever joins them. */
export function testTwoNodes(start: () => Promise<Nodes>): void {
  let nodes: Nodes;
  let here: Client;
  let there: Client;
  const clients: Client[] = [];

  const enter: Nodes["enter"] = async (node, as) => {
    const client = await nodes.enter(node, as);
    clients.push(client);
    return client;
  };
  /** All that was pushed so far has arrived: a marker pushed from the same node came in behind it. */
  const settle = async (node: 0 | 1, ...who: Client[]): Promise<void> => {
    const marker = fresh("marker");
    await nodes.run(node, (realtime, _door, event) => void realtime.emitSocket(event, 1), marker);
    await Promise.all(who.map((client) => client.next(marker)));
  };

  beforeAll(async () => {
    nodes = await start();
    here = await enter(0, { user: "here" });
    there = await enter(1, { user: "there" });
  }, 60_000);

  afterAll(async () => {
    for (const client of clients) client.socket.disconnect();
    await nodes[Symbol.asyncDispose]();
  });

  it("a push reaches everyone on both once, and says on how many nodes", async () => {
    const event = fresh("e");
    const reach = await nodes.run(
      0,
      (realtime, door, name) => realtime.emitSocket(name, 1, door.everyone(), { count: true }),
      event,
    );
    expect(reach).toEqual({ sockets: clients.length, nodes: 2, complete: true });
    await settle(0, here, there);
    expect([here.got(event), there.got(event)]).toEqual([[1], [1]]);
  });

  it("a push to a topic, a user or a session reaches those on the other node, minus who is excepted", async () => {
    const [user, session, topic] = [fresh("u"), fresh("s"), fresh("t:")];
    const one = await enter(0, { user, session });
    const two = await enter(1, { user, session });
    await two.join(topic);
    await nodes.run(
      0,
      (realtime, door, u, s, t) => {
        void realtime.emitSocket("user", 1, { user: u });
        void realtime.emitSocket("session", 1, { sessionId: s });
        void realtime.emitSocket("topic", 1, { topic: t });
        void realtime.emitSocket("except", 1, door.user(u).except(door.topic(t)));
      },
      user,
      session,
      topic,
    );
    await settle(0, one, two);
    const names = (client: Client): string[] =>
      client.events.map(([event]) => event).filter((event) => !event.startsWith("marker"));
    expect(names(one)).toEqual(["user", "session", "except"]);
    expect(names(two)).toEqual(["user", "session", "topic"]);
  });

  it("a push to an intersection reaches exactly who is in both, on both nodes", async () => {
    const [topic, session, event] = [fresh("t:"), fresh("s"), fresh("e")];
    const both = [await enter(0, { session }), await enter(1, { session })];
    const topicOnly = [await enter(0), await enter(1)];
    const sessionOnly = [await enter(0, { session }), await enter(1, { session })];
    for (const client of [...both, ...topicOnly]) await client.join(topic);
    const reach = await nodes.run(
      0,
      async (realtime, _door, name, t, s) =>
        realtime.emitSocket(name, { bytes: 1 }, { topic: t, sessionId: s }, { count: true }),
      event,
      topic,
      session,
    );
    expect(reach).toEqual({ sockets: 2, nodes: 2, complete: true });
    await nodes.run(
      1,
      (realtime, _door, name, t, s) => realtime.emitSocket(name, 2, { topic: t, sessionId: s }),
      event,
      topic,
      session,
    );
    for (const client of both) {
      await client.next(event);
      await client.next(event);
    }
    await settle(1, ...topicOnly, ...sessionOnly);
    for (const client of [...topicOnly, ...sessionOnly]) expect(client.got(event)).toEqual([]);
  });

  it("a push with receipts says how many have it, and one of which only the newest counts reaches everyone, on both nodes", async () => {
    const [user, event] = [fresh("u"), fresh("e")];
    const [one, two] = [await enter(0, { user }), await enter(1, { user })];
    for (const { socket } of [one, two]) socket.on("ingress:received", (received: () => void) => received());
    const reach = await nodes.run(
      0,
      (realtime, _door, name, u) => realtime.emitSocket(name, 1, { user: u }, { receipts: { timeoutMs: 10_000 } }),
      event,
      user,
    );
    expect(reach).toEqual({ sockets: 2, nodes: 2, complete: true, received: 2 });
    expect([one.got(event), two.got(event)]).toEqual([[1], [1]]);
    await nodes.run(
      1,
      (realtime, _door, name, u) => realtime.emitSocket(name, 2, { user: u }, { latest: "k" }),
      event,
      user,
    );
    for (const client of [one, two]) await expect.poll(() => client.got(event)).toEqual([1, 2]);
  });

  it("a push whom nobody matches reached none", async () => {
    const reach = await nodes.run(0, (realtime, door) =>
      realtime.emitSocket("e", 1, door.topic("t:nobody").and(door.user("x")), { count: true }),
    );
    expect(reach).toEqual({ sockets: 0, nodes: 0, complete: true });
  });

  it("a login changes the session of sockets on both nodes: the new id reaches them, the old one nobody", async () => {
    const [before, after, event] = [fresh("s"), fresh("s"), fresh("e")];
    const tabs = [await enter(0, { session: before }), await enter(1, { session: before })];
    const moved = await nodes.run(
      0,
      (realtime, _door, from, to) => realtime.rotateSession(from, to, { user: from }),
      before,
      after,
    );
    expect(moved).toEqual({ sockets: 2, nodes: 2, complete: true });
    await nodes.run(
      1,
      (realtime, _door, name, from, to) => {
        void realtime.emitSocket(name, "old", { sessionId: from });
        void realtime.emitSocket(name, "new", { sessionId: to });
        void realtime.emitSocket(name, "user", { user: from });
      },
      event,
      before,
      after,
    );
    await settle(1, ...tabs);
    for (const tab of tabs) expect(tab.got(event)).toEqual(["new", "user"]);
  });

  it("a topic that is taken away is gone on both nodes when that resolves", async () => {
    const [user, topic, event] = [fresh("u"), fresh("t:"), fresh("e")];
    const tabs = [await enter(0, { user }), await enter(1, { user })];
    for (const tab of tabs) await tab.join(topic);
    const revoked = await nodes.run(0, (realtime, _door, u, t) => realtime.revoke(u, t), user, topic);
    expect(revoked).toEqual({ sockets: 2, nodes: 2, complete: true });
    await nodes.run(1, (realtime, _door, name, t) => realtime.emitSocket(name, 1, { topic: t }), event, topic);
    await settle(1, ...tabs);
    for (const tab of tabs) {
      expect(tab.got(event)).toEqual([]);
      expect(tab.got("ingress:evicted")).toMatchObject([{ topic, code: "FORBIDDEN" }]);
    }
  });

  it("presence is one list: a user on both nodes joins once, leaves with the last tab, and moves without leaving", async () => {
    const [user, watcher, topic] = [fresh("u"), fresh("u"), fresh("p:")];
    const watching = [await enter(0, { user: watcher }), await enter(1, { user: watcher })];
    for (const client of watching) await client.join(topic);
    const one = await enter(0, { user });
    await one.join(topic);
    const about = (client: Client): PresenceChange[] =>
      (client.got(PRESENCE) as PresenceChange[]).filter(({ joined = [], left = [] }) =>
        [...joined, ...left].includes(user),
      );
    await vi.waitFor(() => expect(watching.map((client) => about(client).length)).toEqual([1, 1]));

    // Moves to the other node.
    const two = await enter(1, { user });
    expect((await two.join(topic)).presence?.state).toContain(user);
    one.socket.disconnect();
    const list = (node: 0 | 1): Promise<string[]> =>
      nodes.run(node, (realtime, _door, t) => realtime.list(t).map((member) => member.user), topic);
    await vi.waitFor(async () => expect((await list(0)).sort()).toEqual([user, watcher].sort()));
    expect((await list(1)).sort()).toEqual([user, watcher].sort());

    two.socket.disconnect();
    await vi.waitFor(() =>
      expect(watching.map((client) => about(client).at(-1))).toEqual([
        expect.objectContaining({ topic, left: [user] }),
        expect.objectContaining({ topic, left: [user] }),
      ]),
    );
    for (const client of watching) expect(about(client)).toHaveLength(2);
    expect(await list(0)).toEqual([watcher]);
    expect(await list(1)).toEqual([watcher]);
  });

  it("members of a group are reached on whichever node they are, and no longer once they are out", async () => {
    const [one, two, group] = [fresh("u"), fresh("u"), fresh("g")];
    const tabs = [await enter(0, { user: one }), await enter(1, { user: two })];
    const later = (): Promise<Client> => enter(1, { user: one });
    await nodes.run(
      0,
      (realtime, door, g, a, b) => Promise.all([realtime.enroll(door.group(g), a), realtime.enroll(door.group(g), b)]),
      group,
      one,
      two,
    );
    const late = await later();
    await nodes.run(0, (realtime, door, g) => realtime.sendTo(door.group(g), 1), group);
    await settle(0, ...tabs, late);
    expect([...tabs, late].map((client) => client.got(NOTIFY))).toEqual([[{ data: 1 }], [{ data: 1 }], [{ data: 1 }]]);
    await nodes.run(0, (realtime, door, g, b) => realtime.withdraw(door.group(g), b), group, two);
    await nodes.run(0, (realtime, door, g) => realtime.sendTo(door.group(g), 2), group);
    await settle(0, ...tabs, late);
    expect(tabs.map((client) => client.got(NOTIFY).length)).toEqual([2, 1]);
  });

  it("a group is full when the second arrives on the other node: afterGrouping runs once, and both hear it", async () => {
    const [one, two, pool] = [fresh("u"), fresh("u"), fresh("pool")];
    const [a, b] = [await enter(0, { user: one }), await enter(1, { user: two })];
    const wait = (node: 0 | 1, user: string): Promise<{ id: string; members: readonly string[] }> =>
      nodes.run(
        node,
        (realtime, door, u, p) =>
          realtime.waitForGroup(u, {
            pool: p,
            size: 2,
            afterGrouping: (group) => void realtime.sendTo(door.group(group.id), "grouped"),
          }),
        user,
        pool,
      );
    const [first, second] = await Promise.all([wait(0, one), wait(1, two)]);
    expect(first).toEqual(second);
    expect([...first.members].sort()).toEqual([one, two].sort());
    await Promise.all([a.next(NOTIFY), b.next(NOTIFY)]);
    await settle(0, a, b);
    await settle(1, a, b);
    expect([a.got(NOTIFY), b.got(NOTIFY)]).toEqual([[{ data: "grouped" }], [{ data: "grouped" }]]);
  });

  it("a tab that comes to the other node while its user's group forms hears of that group, and is in no other", async () => {
    const [one, two, three, four] = [fresh("u"), fresh("u"), fresh("u"), fresh("u")];
    const [pool, forming, gate] = [fresh("pool"), fresh("forming"), fresh("u")];
    const closed = await enter(0, { user: gate });
    const wait = (node: 0 | 1, user: string): Promise<{ id: string; members: readonly string[] }> =>
      nodes.run(
        node,
        (realtime, _door, u, p, event, g) =>
          realtime.waitForGroup(u, {
            pool: p,
            size: 2,
            afterGrouping: ({ members }) => {
              if (!members.includes(u) || event === "") return undefined;
              void realtime.emitSocket(event, 1);
              return new Promise<void>((resolve) => void realtime.watchForDropout(g, resolve, 0));
            },
          }),
        user,
        pool,
        node === 0 ? forming : "",
        gate,
      );
    const first = [wait(0, one), wait(0, two)];
    await here.next(forming);
    const late = wait(1, one);
    const others = [wait(1, three), wait(1, four)];
    for (const { members } of await Promise.all(others)) expect([...members].sort()).toEqual([three, four].sort());
    closed.socket.disconnect();
    const [group] = await Promise.all(first);
    expect([...(group?.members ?? [])].sort()).toEqual([one, two].sort());
    expect(await late).toEqual(group);
  });

  it("a player who is on the other node has not dropped out, and has once they leave it", async () => {
    const [user, event] = [fresh("u"), fresh("dropped")];
    const player = await enter(1, { user });
    await nodes.run(
      0,
      (realtime, _door, u, name) => void realtime.watchForDropout(u, () => realtime.emitSocket(name, u), 300),
      user,
      event,
    );
    // Somebody who is nowhere, watched for longer: by the time they have dropped out, the player would have, too.
    const control = fresh("dropped");
    await nodes.run(
      0,
      (realtime, _door, name) => void realtime.watchForDropout("nobody", () => realtime.emitSocket(name, 1), 600),
      control,
    );
    await here.next(control);
    await settle(0, here);
    expect(here.got(event)).toEqual([]);
    player.socket.disconnect();
    expect(await here.next(event)).toBe(user);
  });

  it("what a node that goes away had is gone, and the other one goes on", async () => {
    const [user, watcher, topic] = [fresh("u"), fresh("u"), fresh("p:")];
    const watching = await enter(0, { user: watcher });
    await watching.join(topic);
    const ghost = await enter(1, { user });
    await ghost.join(topic);
    const list = (): Promise<string[]> =>
      nodes.run(0, (realtime, _door, t) => realtime.list(t).map((member) => member.user), topic);
    await vi.waitFor(async () => expect((await list()).sort()).toEqual([user, watcher].sort()));
    const pool = fresh("pool");
    const wait = (node: 0 | 1, who: string): Promise<{ members: readonly string[] }> =>
      nodes.run(node, (realtime, _door, u, p) => realtime.waitForGroup(u, { pool: p, size: 2 }), who, pool);
    void wait(1, user).catch(() => undefined);
    expect(await nodes.run(1, (realtime) => realtime.stats().waiting)).toBe(1);
    if (nodes.kill) await nodes.kill(1);
    else await nodes.stop(1);
    await vi.waitFor(async () => expect(await list()).toEqual([watcher]));
    const changes = (): PresenceChange[] => watching.got(PRESENCE) as PresenceChange[];
    await vi.waitFor(() => expect(changes().filter(({ left }) => left?.includes(user))).toHaveLength(1));
    await vi.waitFor(async () =>
      expect(await nodes.run(0, (realtime, door) => realtime.count(door.everyone()))).toMatchObject({
        nodes: 1,
        complete: true,
      }),
    );
    const [one, two] = [fresh("u"), fresh("u")];
    for (const { members } of await Promise.all([wait(0, one), wait(0, two)]))
      expect([...members].sort()).toEqual([one, two].sort());
  });
}
