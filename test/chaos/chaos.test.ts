import { setTimeout as delay } from "node:timers/promises";
import { EventFailure } from "socket-ingress/client";
import { expect, it, vi } from "vitest";
import { needs } from "../fixtures/needs.js";
import { ownRedis } from "../fixtures/redis.js";
import { isSoak, rounds } from "../fixtures/soak.js";
import { clientOf, connect, Member } from "./members.js";
import { Nodes } from "./nodes.js";
import { ran } from "./protocol.js";

// `npm run chaos` in full, a tenth of it in every other run.
const KILLS = isSoak ? 20 : 3;
const PUSHES = rounds(30_000);
const CALLS = rounds(5_000);
const PUSHES_A_SECOND = 150;
const WITHIN = { interval: 100 };

const random = (below: number): number => Math.floor(Math.random() * below);

/** Kills a node whose clients do not come back; resolves to how many milliseconds they were there for the others after that. */
async function ghostsOf(nodes: Nodes, members: readonly Member[]): Promise<number> {
  const ghosts = ["ghost 1", "ghost 2"].map((user) => new Member(nodes.urlOf(1), user, []));
  await Promise.all(ghosts.map((ghost) => ghost.join()));
  const all = [...members, ...ghosts].map(({ user }) => user).sort();
  for (const member of members) await vi.waitFor(() => expect(member.here).toEqual(all), WITHIN);
  for (const { socket } of ghosts) socket.io.reconnection(false);
  const from = performance.now();
  await nodes.kill(1);
  const left = members.map(({ user }) => user).sort();
  for (const member of members) await vi.waitFor(() => expect(member.here).toEqual(left), WITHIN);
  return Math.round(performance.now() - from);
}

needs("redis")("three nodes on one Redis, of which one or the other is killed, stopped or cut off", () => {
  it(
    "every push arrived in order, once, or the gap was told; no call ran twice; presence is right",
    { timeout: 900_000 },
    async () => {
      await using redis = await ownRedis("--appendonly", "yes", "--appendfsync", "always");
      const confirmed = new Set<number>();
      await using nodes = await Nodes.start(redis.path, (n) => confirmed.add(n));
      const members = Array.from({ length: 9 }, (_, index) => {
        const topics = [["t:a"], ["t:b"], ["t:a", "t:b"]][index % 3] as string[];
        return new Member(nodes.url, `user ${index}`, topics);
      });
      await Promise.all(members.map((member) => member.join()));

      const sentTo: string[][] = [];
      const pushing = (async () => {
        for (let n = 0; n < PUSHES; n++) {
          sentTo[n] = [["t:a"], ["t:b"], ["t:a", "t:b"]][random(3)] as string[];
          nodes.push(random(3), n, sentTo[n] as string[]);
          await delay(1_000 / PUSHES_A_SECOND);
        }
      })();
      const outcomes = new Map<string, unknown>();
      const callers = [0, 1, 2, 3, 4].map(async (caller) => {
        const socket = connect(nodes.url, `caller ${caller}`);
        const client = clientOf(socket);
        for (let i = caller; i < CALLS; i += 5) {
          const id = `call ${i}`;
          const call = client.with({ retries: 30, timeoutMs: 2_000 }).call("work", id);
          outcomes.set(id, await call.catch((error: unknown) => error));
        }
        socket.disconnect();
      });
      const broken = { kills: 0, stops: 0, restarts: 0 };
      const breaking = (async () => {
        const pause = (PUSHES / PUSHES_A_SECOND / (KILLS + 2)) * 1_000;
        for (let i = 0; i < KILLS; i++) {
          await delay(pause / 2);
          await nodes.kill(random(3));
          broken.kills++;
          if (i % 5 === 1) {
            await nodes.pause(random(3), 5_000);
            broken.stops++;
          }
          if (i % 5 === 2) {
            await redis.restart();
            broken.restarts++;
          }
        }
      })();
      await Promise.all([pushing, breaking, ...callers]);

      // What is pushed last says when all before it has arrived.
      const last = PUSHES;
      sentTo[last] = ["t:a", "t:b"];
      await vi.waitFor(
        () => {
          nodes.push(0, last, ["t:a", "t:b"]);
          expect(confirmed).toContain(last);
        },
        { timeout: 20_000, interval: 2_000 },
      );
      await vi.waitFor(
        () => expect(members.filter(({ got }) => !got.includes(last)).map(({ user }) => user)).toEqual([]),
        WITHIN,
      );

      const order = new Map<number, number>();
      for (const { user, topics, got, gaps, doubled } of members) {
        const missing = [...confirmed].filter(
          (n) => sentTo[n]?.some((topic) => topics.includes(topic)) && !got.includes(n),
        );
        expect({ user, missing: gaps.length > 0 ? [] : missing, doubled: doubled.filter((n) => n !== last) }).toEqual({
          user,
          missing: [],
          doubled: [],
        });
        expect(got.filter((n) => !sentTo[n]?.some((topic) => topics.includes(topic)))).toEqual([]);
      }
      const whole = members[2] as Member; // in both topics
      for (const [index, n] of whole.got.entries()) order.set(n, index);
      for (const { user, got } of members) {
        const ranks = got.filter((n) => n !== last).flatMap((n) => order.get(n) ?? []);
        expect({
          user,
          inOrder: ranks.every((rank, index) => index === 0 || rank > (ranks[index - 1] as number)),
        }).toEqual({ user, inOrder: true });
      }

      const client = await redis.connect();
      for (const [id, outcome] of outcomes) {
        const runs = await client.sCard(ran(id));
        if (outcome === id) expect({ id, runs }).toEqual({ id, runs: 1 });
        else {
          // The node died in the middle of it; or Redis was away: then the work could not be noted, or nobody could say who runs it.
          const code = outcome instanceof EventFailure ? outcome.code : outcome;
          expect(["TIMEOUT", "INTERNAL", "OVERLOADED"]).toContain(code);
          expect({ id, runs }).toEqual({ id, runs: Math.min(runs, 1) });
        }
      }

      const users = members.map(({ user }) => user).sort();
      for (const member of members) await vi.waitFor(() => expect(member.here).toEqual(users), WITHIN);
      const ghosts = await ghostsOf(nodes, members);
      expect(nodes.faults).toEqual([]);
      const failures = [...outcomes.values()].filter((outcome) => outcome instanceof EventFailure);
      const sum = (of: (member: Member) => number): number => members.reduce((all, member) => all + of(member), 0);
      const report = {
        ...broken,
        pushes: PUSHES,
        taken: confirmed.size,
        received: sum(({ got }) => got.length),
        gaps: sum(({ gaps }) => gaps.length),
        calls: outcomes.size,
        timeouts: failures.filter(({ code }) => code === "TIMEOUT").length,
        internal: failures.filter(({ code }) => code === "INTERNAL").length,
        ghostsMs: ghosts,
        overloaded: failures.filter(({ code }) => code === "OVERLOADED").length,
      };
      console.info(`\nchaos: ${JSON.stringify(report)}`);
      for (const member of members) member.socket.disconnect();
    },
  );
});
