import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import fc from "fast-check";
import { SeatExchange } from "../../../src/features/limits/seat-exchange.js";
import { type Seat, Seats } from "../../../src/features/limits/seats.js";
import type { ClusterMessages } from "../../../src/push/cluster-messages.js";
import { deferred } from "../../fixtures/deferred.js";

const HEARTBEAT_MS = 2_000;
/** How long an adapter waits for who does not answer. */
const ADAPTER_MS = 5_000;

/** How long a message is under way, in milliseconds, or that it is lost. */
type Delay = (from: number, to: number, kind: string) => number | "lost";

/** The messages of nodes, which take as long as a test says, each of them: one may overtake another. */
class SlowCluster {
  readonly #listeners: Map<string, (data: unknown) => unknown>[] = [];
  delay: Delay = () => 1;

  join(): ClusterMessages {
    const listeners = new Map<string, (data: unknown) => unknown>();
    const from = this.#listeners.push(listeners) - 1;
    const others = (): number[] => [...this.#listeners.keys()].filter((to) => to !== from);
    const deliver = (to: number, kind: string, data: unknown, answer?: (value: unknown) => void): void => {
      const copy = structuredClone(data);
      this.#later(from, to, kind, () => {
        const value = structuredClone(this.#listeners[to]?.get(kind)?.(copy));
        if (answer !== undefined) this.#later(to, from, `answer to ${kind}`, () => answer(value));
      });
    };
    return {
      on(kind, listener) {
        listeners.set(kind, listener);
        return () => listeners.delete(kind);
      },
      tell(kind, data) {
        for (const to of others()) deliver(to, kind, data);
        return Promise.resolve();
      },
      ask<Answer>(kind: string, data?: unknown) {
        const { promise, resolve } = deferred<{ answers: Answer[]; complete: boolean }>();
        const answers: Answer[] = [];
        const asked = others();
        const settle = (): void => resolve({ answers, complete: answers.length === asked.length });
        if (asked.length === 0) settle();
        setTimeout(settle, ADAPTER_MS);
        for (const to of asked)
          deliver(to, kind, data, (value) => {
            answers.push(value as Answer);
            if (answers.length === asked.length) settle();
          });
        return promise;
      },
    };
  }

  #later(from: number, to: number, kind: string, run: () => void): void {
    const ms = this.delay(from, to, kind);
    if (ms !== "lost") setTimeout(run, ms);
  }
}

/** One node, which lets in whom it may as connections do. */
class Node {
  readonly seats = new Seats();
  readonly exchange: SeatExchange;
  readonly taken = new Set<Seat>();
  refused = 0;
  readonly #max: number;
  #next = 0;

  constructor(cluster: SlowCluster, max: number) {
    this.#max = max;
    this.exchange = new SeatExchange(cluster.join(), this.seats, HEARTBEAT_MS, {
      onBeat: () => undefined,
      onReplaced: () => undefined,
    });
  }

  async come(): Promise<void> {
    const { node } = this.exchange;
    const id = `${node}:${++this.#next}`;
    const seat: Seat = { id, node, address: "", user: undefined, state: "reserved", stamp: 0 };
    this.seats.add(seat);
    const before = (): number => this.seats.before(seat).server;
    const max = this.#max;
    await this.exchange.ask(seat, (nodes) => before() >= max || (before() + 1) * nodes <= max);
    if (before() >= max) {
      this.refused++;
      return this.leave(seat);
    }
    this.seats.take(seat);
    this.exchange.taken(seat);
    this.taken.add(seat);
  }

  leave(seat: Seat): void {
    this.taken.delete(seat);
    this.seats.remove(seat.id);
    this.exchange.freed(seat);
  }
}

const inside = (nodes: readonly Node[]): number => nodes.reduce((sum, { taken }) => sum + taken.size, 0);

/** Nodes that have heard of each other. */
async function open(count: number, max: number): Promise<{ cluster: SlowCluster; nodes: Node[] }> {
  const cluster = new SlowCluster();
  const nodes = Array.from({ length: count }, () => new Node(cluster, max));
  for (const node of nodes) {
    void node.come();
    await vi.advanceTimersByTimeAsync(100);
    for (const seat of node.taken) node.leave(seat);
  }
  await vi.advanceTimersByTimeAsync(100);
  return { cluster, nodes };
}

beforeEach(
  () =>
    void vi.useFakeTimers({
      toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "setImmediate", "performance"],
    }),
);
afterEach(() => void vi.useRealTimers());

describe("seats of several nodes", () => {
  it("count each other where an answer overtakes a question that its node had under way", async () => {
    const { cluster, nodes } = await open(2, 2);
    // An adapter asks how many nodes there are before a question goes out, and before anything that is told.
    const [fast, slow] = nodes as [Node, Node];
    cluster.delay = (from, _to, kind) => (kind.startsWith("answer") || (from === 0 && kind === "ask") ? 1 : 30);
    for (const node of [slow, fast, fast]) void node.come();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(inside(nodes)).toBe(2);
    expect(fast.refused + slow.refused).toBe(1);
  });

  it("wait for a node that is slow, however slow, while its heartbeat is heard", async () => {
    const { cluster, nodes } = await open(2, 3);
    cluster.delay = (_from, to) => (to === 1 ? 4_000 : 1);
    for (let i = 0; i < 10; i++) for (const node of nodes) void node.come();
    await vi.advanceTimersByTimeAsync(3_900);
    // At most the share of each of two.
    for (const { taken } of nodes) expect(taken.size).toBeLessThanOrEqual(1);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(inside(nodes)).toBe(3);
    expect(nodes[0]!.refused + nodes[1]!.refused).toBe(17);
  });

  it("within a node's share of all are given away though another node is silent, and all of them once it is dead", async () => {
    const { cluster, nodes } = await open(2, 10);
    cluster.delay = () => "lost";
    for (let i = 0; i < 20; i++) void nodes[0]!.come();
    await vi.advanceTimersByTimeAsync(3_000);
    // Ten wait for ten seats, or have one.
    expect(nodes[0]).toMatchObject({ refused: 10, taken: { size: 5 } });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(nodes[0]).toMatchObject({ refused: 10, taken: { size: 10 } });
  });

  it("that leave before they are decided are waited for no longer", async () => {
    const { cluster, nodes } = await open(2, 1);
    cluster.delay = () => "lost";
    let isOver = false;
    const coming = nodes[0]!.come().then(() => (isOver = true));
    await vi.advanceTimersByTimeAsync(100);
    expect(isOver).toBe(false);
    for (const seat of nodes[0]!.seats.ofNode(nodes[0]!.exchange.node)) nodes[0]!.leave(seat);
    await coming;
  });

  it("are asked about again after a question was lost", async () => {
    const { cluster, nodes } = await open(2, 1);
    let lost = 0;
    cluster.delay = (_from, _to, kind) => (kind === "ask" && lost++ === 0 ? "lost" : 1);
    void nodes[0]!.come();
    await vi.advanceTimersByTimeAsync(3_000);
    expect(nodes[0]!.taken.size).toBe(1);
    // The other has it from a table: it has missed a message.
    await vi.advanceTimersByTimeAsync(5_000);
    void nodes[1]!.come();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(nodes[1]).toMatchObject({ refused: 1, taken: { size: 0 } });
  });

  it("are known to be another user's, or nobody's, and those that nobody was told of are told of by nobody", async () => {
    const { nodes } = await open(2, 5);
    const [one, two] = nodes as [Node, Node];
    void one.come();
    await vi.advanceTimersByTimeAsync(100);
    const [seat] = one.taken;
    const there = (): Seat | undefined => two.seats.get(seat!.id);
    for (const user of ["ann", undefined]) {
      one.seats.setUser(seat!, user);
      one.exchange.moved(seat!);
      await vi.advanceTimersByTimeAsync(100);
      expect(there()).toMatchObject({ state: "taken", user });
    }
    expect(two.seats.ofUser("ann")).toEqual([]);
    const reserved: Seat = { ...seat!, id: "reserved", state: "reserved" };
    const heard = vi.spyOn(two.seats, "remove");
    one.exchange.moved(reserved);
    one.exchange.freed(reserved);
    await vi.advanceTimersByTimeAsync(100);
    expect(heard).not.toHaveBeenCalled();
    // Of one that the other has given away meanwhile nothing more is said.
    two.seats.remove(seat!.id);
    one.exchange.taken(seat!);
    one.exchange.moved(seat!);
    await vi.advanceTimersByTimeAsync(100);
    expect(there()).toBeUndefined();
  });

  it("are still those of others after this node was stopped for a while, and heard nobody", async () => {
    const { nodes } = await open(2, 1);
    const [one, two] = nodes as [Node, Node];
    void two.come();
    await vi.advanceTimersByTimeAsync(2_000);
    const { now } = performance;
    let stoppedMs = 0;
    vi.spyOn(performance, "now").mockImplementation(() => now.call(performance) + stoppedMs);
    stoppedMs = 60_000;
    await vi.advanceTimersByTimeAsync(HEARTBEAT_MS);
    void one.come();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(one).toMatchObject({ refused: 1, taken: { size: 0 } });
  });

  it(
    "are never more than there are, whatever is slow, lost or overtaken, while nodes are heard within three heartbeats",
    { timeout: 300_000 },
    async () => {
      const step = fc.record({
        node: fc.nat(2),
        what: fc.constantFrom("come", "come", "come", "leave"),
        waitMs: fc.constantFrom(0, 0, 1, 5, 40, 700),
      });
      const property = fc.asyncProperty(
        fc.integer({ min: 2, max: 3 }),
        fc.integer({ min: 1, max: 7 }),
        fc.array(step, { minLength: 5, maxLength: 60 }),
        fc.infiniteStream(fc.integer({ min: 0, max: 99 })),
        async (count, max, steps, chances) => {
          vi.useFakeTimers({
            toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "setImmediate", "performance"],
          });
          const { cluster, nodes } = await open(count, max);
          const chance = (): number => chances.next().value as number;
          cluster.delay = (_from, _to, kind) => {
            const drawn = chance();
            if (kind !== "beat" && drawn < 3) return "lost";
            return drawn < 10 ? 1_500 : drawn < 40 ? 30 : 1;
          };
          for (const { node: index, what, waitMs } of steps) {
            const node = nodes[index % count]!;
            const [first] = node.taken;
            if (what === "come") void node.come();
            else if (first !== undefined) node.leave(first);
            await vi.advanceTimersByTimeAsync(waitMs);
            expect(inside(nodes)).toBeLessThanOrEqual(max);
          }
          for (let i = 0; i < 40; i++) {
            await vi.advanceTimersByTimeAsync(500);
            expect(inside(nodes)).toBeLessThanOrEqual(max);
          }
          // And when all is quiet each of them knows all.
          cluster.delay = () => 1;
          await vi.advanceTimersByTimeAsync(30_000);
          for (const { seats } of nodes) expect(seats.size).toBe(inside(nodes));
          for (const { exchange } of nodes) exchange.close();
          vi.clearAllTimers();
        },
      );
      await fc.assert(property, { numRuns: process.env["TEST_SOAK"] === undefined ? 40 : 2_000 });
    },
  );
});
