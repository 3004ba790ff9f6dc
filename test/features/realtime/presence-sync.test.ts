import { fakeServer, memoryCluster } from "socket-ingress/testing";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { PresenceSync } from "../../../src/features/realtime/presence-sync.js";
import type { PresenceChange } from "../../../src/features/realtime/protocol.js";
import { Cluster, type NodeMessage } from "../../../src/push/cluster.js";
import { recordingLog } from "../../fixtures/recording-log.js";

const HEARTBEAT_MS = 2_000;

/** What a node says to another: the methods of its adapter that put a message on the line. */
interface Line {
  doPublish(message: { readonly type: number }): Promise<string>;
  doPublishResponse(requester: string, response: unknown): Promise<void>;
  serverCount(): Promise<number>;
}

interface Node {
  readonly sync: PresenceSync;
  readonly told: PresenceChange[];
  /** What it has put on the line: messages to all others, and answers to one. */
  readonly published: unknown[];
  readonly answers: string[];
  readonly counted: () => number;
  readonly cluster: Cluster;
  users(topic?: string): string[];
}

/** Nodes that are joined in memory; time is faked, and passes for all of them. */
class Nodes {
  readonly #cluster = memoryCluster();
  readonly all: Node[] = [];

  async start(graceMs = 0): Promise<Node> {
    const io = fakeServer({ adapter: this.#cluster.adapter });
    const line = io.of("/").adapter as unknown as Line;
    const [published, answers] = [[] as unknown[], [] as string[]];
    const { doPublish, doPublishResponse } = line;
    line.doPublish = (message) => {
      published.push(message);
      return doPublish.call(line, message);
    };
    line.doPublishResponse = (requester, response) => {
      answers.push(JSON.stringify(response));
      return doPublishResponse.call(line, requester, response);
    };
    const count = vi.spyOn(line, "serverCount");
    const told: PresenceChange[] = [];
    const cluster = new Cluster(io.of("/"), recordingLog());
    const sync = new PresenceSync({
      cluster,
      graceMs,
      heartbeatMs: HEARTBEAT_MS,
      paceOf: () => ({ batchMs: 100, max: 500 }),
      announce: (change) => told.push(change),
    });
    const node: Node = {
      sync,
      told,
      published,
      answers,
      counted: () => count.mock.calls.length,
      cluster,
      users: (topic = "t") => sync.list(topic).map(({ user }) => user),
    };
    this.all.push(node);
    void sync.sync();
    await settled();
    return node;
  }

  /** All that waits to be told is told, and heard. */
  async settle(): Promise<void> {
    for (let n = 0; n < 3; n++) {
      vi.advanceTimersByTime(100);
      await settled();
    }
  }

  async beat(nodes: readonly Node[] = this.all): Promise<void> {
    vi.advanceTimersByTime(HEARTBEAT_MS);
    for (const { sync } of nodes) await sync.beat();
    await settled();
  }

  /** From here on what is said is not heard, until what is returned is called. */
  partition(): () => void {
    return this.#cluster.partition();
  }
}

/** What the nodes say to each other now has arrived, and what they answer. */
async function settled(): Promise<void> {
  for (let n = 0; n < 10; n++) await new Promise((resolve) => setImmediate(resolve));
}

/** Forgets what was put on the line. */
function clear(nodes: readonly Node[]): void {
  for (const { published, answers } of nodes) published.length = answers.length = 0;
}

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => void vi.useRealTimers());

describe("between nodes", () => {
  it("changes are told together, once, by the last state of each user, and without asking how many nodes there are", async () => {
    const nodes = new Nodes();
    const [a, b] = [await nodes.start(), await nodes.start()];
    clear(nodes.all);
    const counted = a.counted();
    for (const user of ["ada", "grace", "bob"]) {
      a.sync.enter("t", user, user, undefined);
      a.sync.enter("u", user, user, { name: user });
    }
    a.sync.exit("t", "bob", "bob", true);
    expect([a.users(), b.users()]).toEqual([["ada", "grace"], []]);
    await nodes.settle();
    expect(a.published).toHaveLength(1);
    expect(b.users()).toEqual(["ada", "grace"]);
    for (const { told } of nodes.all)
      expect(told).toMatchObject([
        { topic: "t", joined: ["ada", "grace"] },
        { topic: "u", joined: ["ada", "grace", "bob"].map((user) => ({ user, info: { name: user } })) },
      ]);
    expect([a.counted(), b.published]).toEqual([counted, []]);
  });

  it("one that is alone says nothing", async () => {
    const nodes = new Nodes();
    const alone = await nodes.start();
    alone.sync.enter("t", "ada", "socket", undefined);
    await nodes.settle();
    await nodes.beat();
    await alone.sync.close();
    expect(alone.told).toHaveLength(1);
    expect(alone.published).toEqual([]);
  });

  it("one that starts asks once, and each other answers once", async () => {
    const nodes = new Nodes();
    for (let n = 0; n < 8; n++) {
      const { sync } = await nodes.start();
      for (let user = 0; user < 10; user++) sync.enter("t", `${n}-${user}`, "socket", undefined);
      await nodes.settle();
    }
    const others = [...nodes.all];
    clear(others);
    const fresh = await nodes.start();
    expect(fresh.users()).toHaveLength(80);
    fresh.sync.enter("t", "first", "socket", undefined);
    await nodes.settle();
    await nodes.beat();
    expect(nodes.all.map(({ users }) => users().length)).toEqual(nodes.all.map(() => 81));
    // Its question, its first change and its heartbeat; of the others the answer and the heartbeat.
    expect(fresh.published).toHaveLength(3);
    for (const { published, answers } of others) expect([published.length, answers.length]).toEqual([1, 1]);
  });

  it("one that is heard from its first heartbeat on is known, and not asked", async () => {
    const nodes = new Nodes();
    const a = await nodes.start();
    const heal = nodes.partition();
    const b = await nodes.start();
    heal();
    clear(nodes.all);
    await nodes.beat([b]);
    b.sync.enter("t", "ada", "socket", undefined);
    await nodes.settle();
    expect(a.users()).toEqual(["ada"]);
    expect([a.published, b.answers]).toEqual([[], []]);
  });

  it("after a gap only the node that has what is missing says what it has, once", async () => {
    const nodes = new Nodes();
    const [a, b, c] = [await nodes.start(), await nodes.start(), await nodes.start()];
    for (const [n, { sync }] of nodes.all.entries()) sync.enter("t", `user-${n}`, "socket", undefined);
    await nodes.settle();
    const heal = nodes.partition();
    b.sync.enter("t", "missed", "socket", undefined);
    await nodes.settle();
    heal();
    clear(nodes.all);
    b.sync.enter("t", "next", "socket", undefined);
    b.sync.enter("u", "other", "socket", undefined);
    await nodes.settle();
    for (const { users } of nodes.all) expect(users().sort()).toEqual(["missed", "next", "user-0", "user-1", "user-2"]);
    expect([a.published.length, c.published.length]).toEqual([1, 1]);
    expect(b.answers).toHaveLength(2);
    for (const answer of b.answers) expect(answer).toContain("missed");
    // Asked by each other, each has answered that it is not meant.
    for (const { answers } of [a, c]) expect(answers.join()).not.toContain("user-");
  });

  it("a message that was missed last is found out about by the next heartbeat", async () => {
    const nodes = new Nodes();
    const [a, b] = [await nodes.start(), await nodes.start()];
    const heal = nodes.partition();
    b.sync.enter("t", "ada", "socket", undefined);
    await nodes.settle();
    heal();
    expect(a.users()).toEqual([]);
    await nodes.beat([b]);
    expect(a.users()).toEqual(["ada"]);
  });

  it("users of a node that died without a word are gone within 10 s, and one that was only stopped itself buries nobody", async () => {
    const nodes = new Nodes();
    const [a, b] = [await nodes.start(), await nodes.start()];
    b.sync.enter("t", "ghost", "socket", undefined);
    a.sync.enter("t", "ada", "socket", undefined);
    await nodes.settle();
    await nodes.beat();
    // It was heard a moment ago, and is not heard any more.
    for (let ms = 0; ms < 10_000 && a.users().includes("ghost"); ms += HEARTBEAT_MS) await nodes.beat([a]);
    expect(a.users()).toEqual(["ada"]);
    // The other one wakes up, and has heard nothing for as long.
    await nodes.beat([b]);
    expect(b.users().sort()).toEqual(["ada", "ghost"]);
    expect(a.users().sort()).toEqual(["ada", "ghost"]);
    await nodes.settle();
    const about = a.told.flatMap(({ joined = [], left = [] }) => [...joined, ...left.map((user) => `-${user}`)]);
    expect(about.filter((each) => String(each).endsWith("ghost"))).toEqual(["ghost", "-ghost", "ghost"]);
  });

  it("what a node that goes had stays for the grace period, in which it may come back elsewhere", async () => {
    const nodes = new Nodes();
    const [a, b] = [await nodes.start(5_000), await nodes.start(5_000)];
    for (const user of ["moves", "stays away"]) b.sync.enter("t", user, "socket", undefined);
    await nodes.settle();
    await b.sync.close();
    await settled();
    a.sync.enter("t", "moves", "another", undefined);
    await nodes.settle();
    expect(a.users()).toEqual(["moves", "stays away"]);
    vi.advanceTimersByTime(5_000);
    await nodes.settle();
    expect(a.users()).toEqual(["moves"]);
    expect(a.told.map(({ joined, left }) => [joined, left])).toEqual([
      [["moves", "stays away"], undefined],
      [undefined, ["stays away"]],
    ]);
  });

  it("a word of a node that has gone comes too late to bring anybody back", async () => {
    const nodes = new Nodes();
    const [a, b] = [await nodes.start(), await nodes.start(1_000)];
    clear(nodes.all);
    a.sync.enter("t", "ada", "socket", undefined);
    await nodes.settle();
    const [said] = a.published as { data: { packet: [string, NodeMessage] } }[];
    expect(b.users()).toEqual(["ada"]);
    await a.sync.close();
    await settled();
    await a.cluster.tell(said!.data.packet[1]);
    await settled();
    vi.advanceTimersByTime(1_000);
    expect(b.users()).toEqual([]);
  });

  it("nothing is told after it was closed, and no timer is left", async () => {
    const nodes = new Nodes();
    const a = await nodes.start(5_000);
    a.sync.enter("t", "ada", "socket", undefined);
    a.sync.exit("t", "ada", "socket");
    await a.sync.close();
    await nodes.settle();
    expect([a.told, vi.getTimerCount()]).toEqual([[], 0]);
  });
});
