/** Queues: jobs per second and CPU per job on each backend, beside BullMQ alone, which handles the same jobs one by one. */
import { start } from "../measure/processes.mjs";
import { attempt } from "../measure/rows.mjs";
import { pairedRatio, spread } from "../measure/statistics.mjs";
import { figure, figures, fixed, table, verdict } from "../measure/table.mjs";

export const name = "queue";

/** Fewer in PostgreSQL, where a job takes milliseconds. */
const stores = [
  { store: "memory", title: "memory", jobs: 20_000 },
  { store: "redis", title: "BullMQ, Redis", jobs: 10_000 },
  { store: "postgres", title: "BullMQ, PostgreSQL", jobs: 1_000 },
];

/** Measures each store in a process of its own. */
export async function run({ rounds, log }) {
  const measured = {};
  for (const { store, jobs } of stores) {
    measured[store] = await attempt(`a queue in ${store}`, log, async () => {
      const child = await start("measure/queue.mjs");
      try {
        return await child.ask(store, { jobs, rounds: Math.max(5, rounds) }, { withinMs: 1_200_000 });
      } finally {
        await child.stop();
      }
    });
    log(store);
  }
  return measured;
}

const kinds = [
  ["bare", "BullMQ alone, one by one"],
  ["fifty", "batches of 50"],
  ["one", "batches of one"],
];

function rowsOf({ store, title }, measured) {
  const found = measured[store];
  if (found === undefined || found === null) return [{ title, kind: "not measured" }];
  const us = (kind) => found[kind].map((turn) => turn.us);
  return kinds
    .filter(([kind]) => found[kind] !== undefined)
    .map(([kind, what]) => {
      const against = found.bare === undefined ? NaN : pairedRatio(us(kind), us("bare"));
      const control = found.again === undefined ? NaN : pairedRatio(us("again"), us("bare"));
      return {
        title,
        kind: what,
        us: figures(spread(us(kind))),
        perSecond: figure(spread(found[kind].map((turn) => turn.perSecond)).median),
        against: found.bare === undefined || kind === "bare" ? "" : fixed(against, 2),
        verdict: store === "redis" && kind === "fifty" ? verdict(against, { atMost: 0.6 }, control, 0.1) : "",
      };
    });
}

/** The section of RESULTS.md. */
export const render = (measured) => `## Queues

One process handles jobs that wait already; its handler does nothing, so that all that is measured is the queue. CPU is of that process, without that of Redis and
PostgreSQL, per job; medians of turns in one process, with the least and the greatest, and ratios of turns beside each other.

${table(
  [
    ["", (row) => row.title],
    ["", (row) => row.kind],
    ["CPU per job, us", (row) => row.us ?? ""],
    ["x BullMQ alone", (row) => row.against ?? ""],
    ["jobs a second", (row) => row.perSecond ?? ""],
    ["target", (row) => row.verdict ?? ""],
  ],
  stores.flatMap((store) => rowsOf(store, measured)),
)}
`;
