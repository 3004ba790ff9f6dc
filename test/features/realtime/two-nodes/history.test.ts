import { loopTime } from "../../../fixtures/loop-time.js";
import { describe, expect, it, vi } from "vitest";
import { createClient } from "socket-ingress/client";
import { createEmitter, MemoryTopicLog, topic, type HistorySettings } from "socket-ingress/realtime";
import { memoryCluster } from "socket-ingress/testing";
import { isSoak, rounds } from "../../../fixtures/soak.js";
import { type Door, type DoorOptions, open } from "../door.js";
import { readPositions } from "../position-reader.js";
import { SharedLog, startNodes, type Wanderer } from "./history-nodes.js";

const history: HistorySettings = { keep: 2_000, maxAgeMs: 60_000 };
const within = { interval: 5 };

/** Topics of every node. */
const declare: NonNullable<DoorOptions["before"]> = (_manager, realtime) => {
  for (const name of ["post", "all", "post/7", "book"])
    realtime.topics.define(name, { public: true, history, variant: ({ user }) => user?.split("/")[1] });
  realtime.topics.define("short", { public: true, history: { keep: 10, maxAgeMs: 60_000 } });
  realtime.topics.define("plain", { public: true });
};

const declareMany: NonNullable<DoorOptions["before"]> = (_manager, realtime) =>
  realtime.topics.define("many:{n}", { public: true, history });

describe("topics with history on two nodes", () => {
  it("have their pushes reach the clients of the other node once, with plain events for those that read no positions", async () => {
    await using nodes = await startNodes(2, { log: new SharedLog(), before: declare });
    const [here, there] = [await nodes.wander(0), await nodes.wander(1)];
    const plain = await (nodes.doors[1] as Door).enter();
    await here.join("post");
    await there.join("post", "all");
    await plain.join("all");
    const [first, second] = nodes.doors as [Door, Door];
    await first.realtime.emitSocket("said", 1, { topics: ["post", "all"] });
    await second.realtime.emitSocket("said", 2, topic("post"));
    await Promise.all([here.until(2), there.until(2)]);
    await plain.caughtUp();
    expect([here.got, there.got, plain.got("said")]).toEqual([[1, 2], [1, 2], [1]]);
  });

  it("lose nothing over twenty cuts with changes of node, and tell who was away too long", async () => {
    const log = new SharedLog();
    await using nodes = await startNodes(2, { log, before: declare });
    const client = await nodes.wander(0);
    await client.join("post", "short");
    let n = 0;
    const push = (name: string): void =>
      void (nodes.doors[n % 2] as Door).realtime.emitSocket("said", ++n, topic(name));
    for (let cut = 0; cut < 20; cut++) {
      for (let i = 0; i < 15; i++) push("post");
      client.move(cut % 2);
      for (let i = 0; i < 15; i++) push("post");
      await client.until(n);
    }
    expect(client.got).toEqual(Array.from({ length: 600 }, (_, i) => i + 1));
    expect(client.gaps).toEqual([]);
    client.move(1);
    for (let i = 0; i < 30; i++) push("short");
    push("post");
    await client.until(n);
    expect(client.gaps).toEqual(["short"]);
    expect(client.got).toHaveLength(601);
  });

  it("find a push whose message was lost, though nothing else is pushed", async () => {
    await using nodes = await startNodes(2, {
      log: new SharedLog(),
      before: declare,
      carry: () => undefined,
    });
    const there = await nodes.wander(1);
    await there.join("post");
    using time = loopTime();
    await (nodes.doors[0] as Door).realtime.emitSocket("said", "lost", topic("post"));
    await there.until("lost");
    expect(time.ms).toBeLessThan(1_500);
    expect(there.gaps).toEqual([]);
  });

  it("have those in them rejoin when a log begins anew, and tell them", async () => {
    const log = new SharedLog();
    await using nodes = await startNodes(2, { log, before: declare });
    const readers = [await nodes.wander(0), await nodes.wander(1)];
    for (const each of readers) await each.join("post", "all");
    await (nodes.doors[0] as Door).realtime.emitSocket("said", 1, topic("post"));
    for (const each of readers) await each.until(1);
    log.inner = new MemoryTopicLog();
    for (let n = 2; n <= 4; n++) await (nodes.doors[1] as Door).realtime.emitSocket("said", n, topic("all"));
    await vi.waitFor(
      () =>
        expect(readers.map(({ gaps }) => gaps)).toEqual([
          ["post", "all"],
          ["post", "all"],
        ]),
      within,
    );
    await (nodes.doors[0] as Door).realtime.emitSocket("said", 5, { topics: ["all", "post"] });
    for (const each of readers) await each.until(5);
  });

  it("are joined again as often as the server asks for it, by a client that is in as many as it may be", async () => {
    const log = new SharedLog();
    const topicsPerSocket = 50;
    await using nodes = await startNodes(1, { log, topicsPerSocket, before: declareMany });
    const { realtime, served } = nodes.doors[0] as Door;
    const socket = served.client();
    const answers: unknown[] = [];
    const ask = socket.emitWithAck.bind(socket);
    socket.emitWithAck = async (event, ...args) => {
      const answer: unknown = await ask(event, ...args);
      answers.push(answer);
      return answer;
    };
    const client = createClient(socket);
    const onGap = vi.fn<() => void>();
    const names = Array.from({ length: topicsPerSocket }, (_, i) => `many:${i}`);
    const joins = names.map((name) => client.joinTopic(name, { onGap }));
    socket.connect();
    await Promise.all(joins);
    await realtime.emitSocket("said", 0, topic("many:0"));
    for (let time = 1; time <= 6; time++) {
      log.inner = new MemoryTopicLog();
      await realtime.emitSocket("said", time, topic("many:0"));
      await vi.waitFor(() => expect(onGap).toHaveBeenCalledTimes(time * topicsPerSocket), within);
    }
    expect(JSON.stringify(answers)).not.toContain("RATE_LIMITED");
  });

  it("are refused with the log in memory, at setup and when they are declared later", async () => {
    const { adapter } = memoryCluster();
    await expect(open({ server: { adapter }, before: declare })).rejects.toThrow(
      /topics with history need a log that all nodes share, .* the namespace \/ has MemoryAdapter/,
    );
    await using door = await open({ server: { adapter: memoryCluster().adapter } });
    expect(() => door.realtime.topics.define("x", { public: true, history })).toThrow(
      /need a log that all nodes share/,
    );
    door.realtime.topics.define("x", { public: true });
    await using recovering = await open({ server: { connectionStateRecovery: {} }, before: declare });
    expect(recovering.realtime.topics.match("post")).toBeDefined();
  });

  it("with the log in memory say so when another node speaks after all, and every member is told", async () => {
    await using door = await open({ before: declare });
    const { adapter } = memoryCluster();
    // Behind the back of the door, which saw one of Socket.IO's own.
    door.served.io.adapter(adapter);
    const client = await door.enter();
    const reader = readPositions(client.socket);
    await reader.join("post");
    await door.realtime.emitSocket("said", 1, topic("post"));
    await reader.until(1);
    await using other = await open({ server: { adapter } });
    other.realtime.topics.define("u", { public: true });
    await other.realtime.cluster("any").tell("hello");
    await vi.waitFor(() => expect(JSON.stringify(door.log.lines)).toContain("another node speaks"), within);
    await vi.waitFor(() => expect(reader.gaps).toEqual(["post"]), within);
    await door.realtime.emitSocket("said", 2, topic("post"));
    await client.caughtUp();
    expect([reader.got, client.got("said")]).toEqual([[1], [2]]);
    await door.realtime.emitSocket("said", 3, topic("post"));
    client.socket.disconnect().connect();
    await reader.rejoined();
    await vi.waitFor(() => expect(reader.gaps).toEqual(["post", "post"]), within);
    // Nothing of it is a place any more: not for who is new, nor for who loses the topic, nor what the other node tells of its log.
    const late = await door.enter({ user: "ann" });
    const fresh = readPositions(late.socket, { byHand: true });
    await fresh.join("post");
    await late.socket.emitWithAck("ingress:caughtup");
    await using third = await open({ server: { adapter }, log: new SharedLog(), before: declare });
    await third.realtime.emitSocket("said", "of another log", topic("post"));
    await door.realtime.revoke("ann", "post", { code: "OVERLOADED", message: "later" });
    await late.caughtUp();
    expect([fresh.gaps, fresh.got]).toEqual([[], []]);
    expect(late.got("ingress:evicted")).toEqual([{ topic: "post", code: "OVERLOADED", message: "later" }]);
  });

  it("are pushed to by a worker without a server, which asks the servers which topics have a history", async () => {
    const { adapter } = memoryCluster();
    const log = new SharedLog();
    await using nodes = await startNodes(2, { log, adapter, before: declare });
    const there = await nodes.wander(1);
    await there.join("post", "plain");
    await using emitter = await createEmitter({ adapter, log });
    await emitter.emitSocket("said", 1, { topics: ["post", "plain"] });
    await there.until(1);
    there.move(0);
    await emitter.emitSocket("said", 2, topic("post"));
    await emitter.emitSocket("said", 3, topic("plain"));
    await there.until(2);
    expect(there.got).toEqual([1, 2]);
    expect(there.gaps).toEqual([]);
    expect(() => emitter.emitSocket("said", 4, topic("post"), { local: true })).toThrow(/a local push/);
    await using without = await createEmitter({ adapter });
    await expect(without.emitSocket("said", 5, topic("post"))).rejects.toThrow(
      /topic "post" has a history; give the emitter the log/,
    );
    await without.emitSocket("said", 6, topic("plain"));
  });
});

interface Said {
  readonly n: number;
  readonly topics: readonly string[];
  readonly variant: string | undefined;
}

describe("a storm", () => {
  /** 0 to 1, the same again for the same seed. */
  function random(seed: number): () => number {
    let state = (seed * 2_654_435_761) >>> 0;
    return () => (state = (state * 1_664_525 + 1_013_904_223) >>> 0) / 2 ** 32;
  }

  it.each(Array.from({ length: rounds(20) }, (_, i) => [i + 1]))(
    "of pushes over two nodes that lose messages and get them late, with clients that change nodes, loses, doubles and mixes up nothing (%d)",
    async (seed) => {
      const chance = random(seed);
      const ms = (most: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, chance() * most));
      const log = new SharedLog();
      log.delay = () => chance() * 6;
      const names = ["post", "all", "post/7", "book"];
      await using nodes = await startNodes(2, {
        log,
        presence: { graceMs: 200, heartbeatMs: 60_000 },
        before: (_manager, realtime) => {
          for (const name of names)
            realtime.topics.define(name, {
              join: () => ms(60).then(() => true),
              history,
              variant: ({ user }) => user?.split("/")[1],
            });
        },
        carry: (deliver) => {
          if (chance() < 0.07) return;
          if (chance() < 0.3) setTimeout(deliver, chance() * 60);
          else deliver();
        },
      });
      const clients: { reader: Wanderer; topics: string[]; variant: string }[] = [];
      for (let i = 0; i < 12; i++) {
        const topics = names.filter((_, bit) => ((i + 1) & (1 << bit)) > 0 || (i >= 8 && bit < 2));
        const variant = i % 2 === 0 ? "admin" : "reader";
        const reader = await nodes.wander(i % 2, { user: `u${i}/${variant}` });
        await reader.join(...topics);
        clients.push({ reader, topics, variant });
      }
      const said: Said[] = [];
      const count = isSoak ? 900 : 400;
      const cuts = (async (): Promise<void> => {
        for (let i = 0; i < 20; i++) {
          await ms(100);
          const one = clients[Math.floor(chance() * clients.length)]?.reader;
          if (one?.connected) one.move(Math.floor(chance() * 2));
        }
      })();
      for (let n = 0; n < count; n++) {
        const topics = names.filter(() => chance() < 0.4);
        if (topics.length === 0) topics.push("post");
        const variant = chance() < 0.5 ? undefined : chance() < 0.5 ? "admin" : "reader";
        const data: Said = { n, topics, variant };
        said.push(data);
        void (nodes.doors[n % 2] as Door).realtime.emitSocket("said", data, {
          topics,
          ...(variant !== undefined && { variant }),
        });
        if (chance() < 0.5) await ms(8);
      }
      await cuts;
      const seen = ({ heard }: Wanderer): Said[] =>
        heard.flatMap((each) => (each[0] === "push" ? [each[2] as Said] : []));
      await vi.waitFor(
        () => {
          for (const { reader, topics, variant } of clients) {
            const due = said.filter(
              (each) =>
                each.topics.some((name) => topics.includes(name)) &&
                (each.variant === undefined || each.variant === variant),
            );
            const ns = seen(reader).map(({ n }) => n);
            // Lost, doubled and of a wrong variant.
            expect(ns.toSorted((a, b) => a - b)).toEqual(due.map(({ n }) => n));
          }
        },
        { interval: 100 },
      );
      for (const { reader, topics } of clients) {
        expect(reader.gaps).toEqual([]);
        for (const name of topics) {
          const numbers = reader.frames.flatMap(([n, , data]) =>
            typeof n === "number" && (data as Said).topics.includes(name) ? [n] : [],
          );
          expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
        }
      }
    },
    60_000,
  );
});
