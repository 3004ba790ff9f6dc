import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { LogFollower } from "../../src/push/log-follower.js";
import { MemoryTopicLog } from "../../src/push/memory-topic-log.js";
import type { LoggedEntry, Missed, Position, TopicEntry, TopicHistory, TopicLog } from "../../src/push/topic-log.js";
import { deferred } from "../fixtures/deferred.js";
import { recordingLog } from "../fixtures/recording-log.js";
import { rounds } from "../fixtures/soak.js";

const silent = recordingLog();
const topic = (name: string, keep = 1_000): TopicHistory => ({ topic: name, keep, maxAgeMs: 60_000 });
const said = (text: string): TopicEntry => ({ renditions: [[null, "said", [text]]], except: [] });
const texts = (entries: readonly LoggedEntry[]): unknown[] => entries.map(({ renditions }) => renditions[0]?.[2][0]);

/** A log that answers with promises, as one over a network does. */
class LateLog implements TopicLog {
  inner: TopicLog = new MemoryTopicLog();
  failing = false;
  failures = 0;
  async #later<T>(value: () => T): Promise<T> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.failing) {
      this.failures++;
      throw new Error("the log is down");
    }
    return value();
  }
  append(topics: readonly TopicHistory[], entry: TopicEntry): Promise<LoggedEntry> {
    return this.#later(() => this.inner.append(topics, entry) as LoggedEntry);
  }
  head(): Promise<Position> {
    return this.#later(() => this.inner.head() as Position);
  }
  since(position: Position): Promise<readonly LoggedEntry[] | undefined> {
    return this.#later(() => this.inner.since(position) as readonly LoggedEntry[] | undefined);
  }
  after(topics: readonly TopicHistory[], position: Position): Promise<Missed> {
    return this.#later(() => this.inner.after(topics, position) as Missed);
  }
}

const open: LogFollower[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

interface Node {
  follower: LogFollower;
  got: unknown[];
  gaps: number;
}

/** Nodes that share a log; `carry` decides what becomes of a message between them. */
function nodes(log: TopicLog, count: number, carry: (deliver: () => void) => void = (deliver) => deliver()): Node[] {
  const all: Node[] = [];
  for (let i = 0; i < count; i++) {
    const node: Node = {
      got: [],
      gaps: 0,
      follower: new LogFollower({
        log,
        logger: silent,
        reorderMs: 1,
        headMs: 5,
        tell: (entry) => {
          for (const other of all) if (other !== node) carry(() => other.follower.heard(entry));
        },
        onEntry: (entry) => void node.got.push(texts([entry])[0]),
        onGap: () => void node.gaps++,
      }),
    };
    all.push(node);
    open.push(node.follower);
  }
  return all;
}

describe("a node that follows the log", () => {
  it("delivers at once what a log in the process appends", () => {
    const [node] = nodes(new MemoryTopicLog(), 1) as [Node];
    void node.follower.push([topic("a")], said("1"));
    expect(node.got).toEqual(["1"]);
  });

  it("delivers pushes of all nodes in the one order of the log", async () => {
    const [one, two] = nodes(new LateLog(), 2) as [Node, Node];
    await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        await (i % 2 ? one : two).follower.push([topic("a")], said(`${i}`));
      }),
    );
    await expect.poll(() => [one.got.length, two.got.length]).toEqual([40, 40]);
    expect(two.got).toEqual(one.got);
  });

  it("reads what it was never told of, the last entry included", async () => {
    const [one, two] = nodes(new LateLog(), 2, () => undefined) as [Node, Node];
    for (const text of ["1", "2", "3"]) await one.follower.push([topic("a")], said(text));
    await expect.poll(() => two.got).toEqual(["1", "2", "3"]);
    expect([one.gaps, two.gaps]).toEqual([0, 0]);
  });

  it("that is asked to reach what was appended before has delivered it, though nobody has told it", async () => {
    const log = new LateLog();
    const got: unknown[] = [];
    const follower = new LogFollower({
      log,
      logger: silent,
      reorderMs: 60_000,
      headMs: 60_000,
      tell: () => undefined,
      onEntry: (entry) => void got.push(...texts([entry])),
      onGap: () => undefined,
    });
    open.push(follower);
    await follower.reach();
    for (const text of ["1", "2", "3"]) log.inner.append([topic("a")], said(text));
    await follower.reach();
    expect(got).toEqual(["1", "2", "3"]);
    // One that comes early waits for the one before it no longer than it takes to read that.
    log.inner.append([topic("a")], said("4"));
    follower.heard(log.inner.append([topic("a")], said("5")) as LoggedEntry);
    expect(got).toHaveLength(3);
    await follower.reach();
    expect(got).toEqual(["1", "2", "3", "4", "5"]);
    log.failing = true;
    await expect(follower.reach()).rejects.toThrow("the log is down");
  });

  it("tells once that it can't go on when the log begins anew, and goes on from there", async () => {
    const log = new LateLog();
    const [one, two] = nodes(log, 2) as [Node, Node];
    await one.follower.push([topic("a")], said("old"));
    log.inner = new MemoryTopicLog();
    await expect.poll(() => [one.gaps, two.gaps]).toEqual([1, 1]);
    await one.follower.catchUp([topic("a")], undefined, () => undefined);
    await two.follower.catchUp([topic("a")], undefined, () => undefined);
    await one.follower.push([topic("a")], said("new"));
    await expect.poll(() => two.got).toEqual(["old", "new"]);
  });

  it("outlives a log that is down, and loses nothing that was appended", async () => {
    const log = new LateLog();
    const [one, two] = nodes(log, 2) as [Node, Node];
    await one.follower.push([topic("a")], said("1"));
    log.failing = true;
    await expect(one.follower.push([topic("a")], said("never"))).rejects.toThrow("the log is down");
    log.failing = false;
    await one.follower.push([topic("a")], said("2"));
    await expect.poll(() => two.got).toEqual(["1", "2"]);
  });

  it("a log that can't be read at the start is asked again until it can, and until the follower is closed", async () => {
    const log = new LateLog();
    log.failing = true;
    const [first, second] = [...nodes(log, 1), ...nodes(log, 1)] as [Node, Node];
    await expect.poll(() => log.failures).toBeGreaterThanOrEqual(2);
    expect(first.follower.position).toBeUndefined();
    second.follower.close();
    log.failing = false;
    await expect.poll(() => first.follower.position).toBeDefined();
    expect(second.follower.position).toBeUndefined();
    await first.follower.push([topic("a")], said("1"));
    expect(first.got).toEqual(["1"]);
  });

  it("a log in the process that throws at the start is asked again as well", async () => {
    const log = new MemoryTopicLog();
    const head = vi.spyOn(log, "head").mockImplementationOnce(() => {
      throw new Error("not yet");
    });
    const [node] = nodes(log, 1) as [Node];
    await expect.poll(() => node.follower.position).toBeDefined();
    expect(head.mock.calls.length).toBeGreaterThan(1);
  });

  it("a log that throws where it should reject is asked again, however often", async () => {
    const log = new MemoryTopicLog();
    let left = 2;
    vi.spyOn(log, "head").mockImplementation(() => {
      if (left-- > 0) throw new Error("not yet");
      return ["epoch", 7];
    });
    const [node] = nodes(log, 1) as [Node];
    await expect.poll(() => node.follower.position).toEqual(["epoch", 7]);
  });

  it("what is heard before its place is known is delivered as soon as it is", async () => {
    const log = new LateLog();
    const head = deferred<Position>();
    const at = await log.head();
    vi.spyOn(log, "head").mockImplementationOnce(() => head.promise);
    const [node] = nodes(log, 1) as [Node];
    for (const text of ["1", "2"]) node.follower.heard(log.inner.append([topic("a")], said(text)) as LoggedEntry);
    node.follower.heard({ epoch: "of before", n: 9, topics: ["a"], ...said("never") });
    expect(node.got).toEqual([]);
    head.resolve(at);
    await expect.poll(() => node.got).toEqual(["1", "2"]);
    expect(node.gaps).toBe(0);
  });

  it("that is asked to reach what was appended before it knows its place waits until it does", async () => {
    const log = new LateLog();
    log.failing = true;
    const [node] = nodes(log, 1) as [Node];
    await expect.poll(() => log.failures).toBeGreaterThan(0);
    log.failing = false;
    await node.follower.reach();
    expect(node.follower.position?.[1]).toBe(0);
  });

  it("that is further behind than the log can tell says so, and goes on from the head", async () => {
    const log = new LateLog();
    log.inner = new MemoryTopicLog({ window: 5 });
    const [node] = nodes(log, 1) as [Node];
    await expect.poll(() => node.follower.position).toBeDefined();
    for (let n = 1; n <= 20; n++) log.inner.append([topic("a")], said(`${n}`));
    await expect.poll(() => node.gaps).toBe(1);
    await expect.poll(() => node.follower.position?.[1]).toBe(20);
    await node.follower.push([topic("a")], said("21"));
    expect(node.got).toEqual(["21"]);
  });

  it("what waits for one before it is let go when it is too much, and read from the log", async () => {
    const log = new LateLog();
    log.inner = new MemoryTopicLog({ window: 50_000 });
    const [node] = nodes(log, 1) as [Node];
    await expect.poll(() => node.follower.position).toBeDefined();
    log.inner.append([topic("a")], said("1"));
    for (let n = 2; n <= 10_010; n++) node.follower.heard(log.inner.append([topic("a")], said(`${n}`)) as LoggedEntry);
    expect(node.got).toEqual([]);
    await expect.poll(() => node.got.length).toBe(10_010);
    expect([node.gaps, node.got[0], node.got.at(-1)]).toEqual([0, "1", "10010"]);
  });

  it("that loses its place while it reads takes nothing of what it reads then", async () => {
    const log = new LateLog();
    const [node] = nodes(log, 1) as [Node];
    await expect.poll(() => node.follower.position).toBeDefined();
    const [asked, read] = [deferred(), deferred<readonly LoggedEntry[]>()];
    vi.spyOn(log, "since").mockImplementationOnce(() => {
      asked.resolve();
      return read.promise;
    });
    log.inner.append([topic("a")], said("1"));
    const second = log.inner.append([topic("a")], said("2")) as LoggedEntry;
    node.follower.heard(second);
    await asked.promise;
    log.inner = new MemoryTopicLog();
    node.follower.heard(log.inner.append([topic("a")], said("anew")) as LoggedEntry);
    expect(node.gaps).toBe(1);
    read.resolve([second]);
    await expect.poll(() => node.follower.position?.[1]).toBe(1);
    expect(node.got).not.toContain("2");
  });

  it("an entry that can't be delivered is logged, and those after it are delivered", async () => {
    const log = recordingLog();
    const got: unknown[] = [];
    const follower = new LogFollower({
      log: new MemoryTopicLog(),
      logger: log,
      tell: () => undefined,
      onEntry: (entry) => {
        if (entry.n === 1) throw new Error("no room");
        got.push(texts([entry])[0]);
      },
      onGap: () => undefined,
    });
    open.push(follower);
    void follower.push([topic("a")], said("1"));
    void follower.push([topic("a")], said("2"));
    expect(got).toEqual(["2"]);
    expect(log.lines.map(({ message }) => message)).toContain("an entry of the log could not be delivered");
  });

  it("an append that fails rejects, and those behind it keep their order", async () => {
    const log = new LateLog();
    const [node] = nodes(log, 1) as [Node];
    await expect.poll(() => node.follower.position).toBeDefined();
    log.failing = true;
    const lost = node.follower.push([topic("a")], said("lost"));
    await expect(lost).rejects.toThrow("the log is down");
    log.failing = false;
    await Promise.all(["1", "2", "3"].map(async (text) => node.follower.push([topic("a")], said(text))));
    expect(node.got).toEqual(["1", "2", "3"]);
  });

  it("a hole in a log that can't be read is mended once it can", async () => {
    const log = new LateLog();
    const [node, other] = nodes(log, 2, () => undefined) as [Node, Node];
    await expect.poll(() => [node.follower.position, other.follower.position].includes(undefined)).toBe(false);
    await other.follower.push([topic("a")], said("1"));
    const second = await other.follower.push([topic("a")], said("2"));
    log.failing = true;
    node.follower.heard(second);
    await expect.poll(() => log.failures).toBeGreaterThan(0);
    expect(node.got).toEqual([]);
    log.failing = false;
    await expect.poll(() => node.got).toEqual(["1", "2"]);
  });

  it("hears nothing any more once it is closed, and closing it again does nothing", async () => {
    const log = new LateLog();
    const [node, other] = nodes(log, 2) as [Node, Node];
    await expect.poll(() => [node.follower.position, other.follower.position].includes(undefined)).toBe(false);
    node.follower.close();
    node.follower.close();
    await other.follower.push([topic("a")], said("1"));
    expect([node.got, other.got]).toEqual([[], ["1"]]);
    await node.follower.push([topic("a")], said("2"));
    expect(node.got).toEqual([]);
  });

  it("gives a member that comes back what it missed, and the live entries go on from there", async () => {
    const log = new LateLog();
    const [one] = nodes(log, 1) as [Node];
    await one.follower.push([topic("a")], said("1"));
    const at = one.follower.position as Position;
    await one.follower.push([topic("a")], said("2"));
    await one.follower.push([topic("b")], said("3"));
    const pushed = one.follower.push([topic("a")], said("4"));
    const joined = one.follower.catchUp([topic("a")], at, ({ entries, position, gaps }) => ({
      all: [...texts(entries), ...["live from", position[1]]],
      gaps,
      delivered: one.got.length,
    }));
    await pushed;
    const { all, gaps, delivered } = await joined;
    expect(gaps).toEqual([]);
    expect(all).toEqual(delivered === 4 ? ["2", "4", "live from", 4] : ["2", "live from", 3]);
  });

  it("a position from a node that was faster is waited for, one from a lost future is a gap", async () => {
    const log = new LateLog();
    const [one, two] = nodes(log, 2, () => undefined) as [Node, Node];
    for (const text of ["1", "2"]) await one.follower.push([topic("a")], said(text));
    const ahead = one.follower.position as Position;
    expect(await two.follower.catchUp([topic("a")], ahead, ({ position, gaps }) => [position[1], gaps])).toEqual([
      2,
      [],
    ]);
    const future: Position = [ahead[0], 99];
    expect(await two.follower.catchUp([topic("a")], future, ({ gaps }) => gaps)).toEqual(["a"]);
  });

  it("is closed while somebody waits: they hear of it", async () => {
    const log = new LateLog();
    const wait = deferred<Position>();
    log.head = () => wait.promise;
    const [one] = nodes(log, 1) as [Node];
    const waiting = one.follower.catchUp([topic("a")], undefined, () => undefined);
    one.follower.close();
    wait.resolve(["x", 0]);
    await expect(waiting).rejects.toThrow("not followed any more");
  });

  it("is closed while its log can't be read: who waits hears of it", async () => {
    const log = new LateLog();
    log.failing = true;
    const [one] = nodes(log, 1) as [Node];
    const waiting = one.follower.catchUp([topic("a")], undefined, () => undefined);
    await expect.poll(() => log.failures).toBeGreaterThan(0);
    one.follower.close();
    await expect(waiting).rejects.toThrow("not followed any more");
  });

  it("a member that comes back while its node loses its place is told of a gap", async () => {
    for (const method of ["head", "after"] as const) {
      const log = new LateLog();
      const [node] = nodes(log, 1) as [Node];
      await node.follower.push([topic("a")], said("1"));
      const [epoch] = node.follower.position as Position;
      const [asked, go] = [deferred(), deferred()];
      const read = log[method].bind(log) as (...args: unknown[]) => Promise<never>;
      vi.spyOn(log, method).mockImplementationOnce(async (...args: unknown[]) => {
        const answer = await read(...args);
        asked.resolve();
        await go.promise;
        return answer;
      });
      // Of a position that is ahead the head is asked for, of one that is behind what came after it.
      const at: Position = [epoch, method === "head" ? 5 : 0];
      const joined = node.follower.catchUp([topic("a")], at, ({ gaps, position }) => [gaps, position[0] === epoch]);
      await asked.promise;
      log.inner = new MemoryTopicLog();
      node.follower.heard(log.inner.append([topic("a")], said("anew")) as LoggedEntry);
      go.resolve();
      expect(await joined).toEqual([["a"], false]);
    }
  });

  it("a member is given all that it missed, though its node went on too far while the log was read", async () => {
    const log = new LateLog();
    log.inner = new MemoryTopicLog({ window: 50_000 });
    const [node] = nodes(log, 1) as [Node];
    await expect.poll(() => node.follower.position).toBeDefined();
    const at = node.follower.position as Position;
    const hear = (n: number): void =>
      node.follower.heard(log.inner.append([topic("a", 10_000)], said(`${n}`)) as LoggedEntry);
    hear(1);
    const after = vi.spyOn(log, "after").mockImplementationOnce(async (...args) => {
      const missed = log.inner.after(...args);
      for (let n = 2; n <= 2_200; n++) hear(n);
      return missed;
    });
    const missed = await node.follower.catchUp([topic("a", 10_000)], at, ({ entries, gaps }) => [texts(entries), gaps]);
    expect(missed).toEqual([Array.from({ length: 2_200 }, (_, i) => `${i + 1}`), []]);
    expect(after).toHaveBeenCalledTimes(2);
  });

  it("a log that answers from a copy that is behind is read again", async () => {
    const log = new LateLog();
    const first = log.inner.head() as Position;
    for (const text of ["1", "2"]) log.inner.append([topic("a")], said(text));
    const [node] = nodes(log, 1) as [Node];
    await expect.poll(() => node.follower.position?.[1]).toBe(2);
    vi.spyOn(log, "after").mockResolvedValueOnce({ head: [first[0], 1], gaps: [], entries: [] });
    expect(await node.follower.catchUp([topic("a")], first, ({ entries }) => texts(entries))).toEqual(["1", "2"]);
  });

  it("whatever messages are lost, late or swapped, each node delivers every entry once, in order", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ node: fc.nat(2), fate: fc.array(fc.nat(3), { minLength: 2, maxLength: 2 }) }), {
          minLength: 1,
          maxLength: 60,
        }),
        async (pushes) => {
          let message = 0;
          const late: (() => void)[] = [];
          const fates = pushes.flatMap(({ fate }) => fate);
          const all = nodes(new LateLog(), 3, (deliver) => {
            const fate = fates[message++ % fates.length];
            if (fate === 0) return; // lost
            if (fate === 1) late.push(deliver);
            else deliver();
          });
          await Promise.all(
            pushes.map(async ({ node }, i) => {
              await all[node]?.follower.push([topic("a")], said(String(i)));
            }),
          );
          for (const deliver of late.reverse()) deliver();
          await expect
            .poll(() => all.map(({ got }) => got.length), { interval: 2 })
            .toEqual(all.map(() => pushes.length));
          expect(all[1]?.got).toEqual(all[0]?.got);
          expect(all[2]?.got).toEqual(all[0]?.got);
          expect(all.map(({ gaps }) => gaps)).toEqual([0, 0, 0]);
          for (const { follower } of all) follower.close();
        },
      ),
      { numRuns: rounds(200) },
    );
  });
});
