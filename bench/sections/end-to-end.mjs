/** Every contestant in a server process of its own, under the same load, in turns. */
import { serve } from "../measure.mjs";
import { shuffled, spread } from "../statistics.mjs";
import { ratio, table } from "../table.mjs";
import { events, moreEvents } from "../workload.mjs";

export const name = "end-to-end";

/** Who takes part; `raw` is what the others are measured by. */
export const contestants = {
  raw: { contestant: "raw" },
  "socket-ingress": { contestant: "ours" },
  "socket-ingress, coalescing": { contestant: "ours", coalesce: true },
  "a layer written naively": { contestant: "naive" },
  "NestJS 12": { contestant: "nest" },
  "socket-controllers 0.3.1": { contestant: "socket-controllers" },
  "the same, transform: false": { contestant: "socket-controllers", transform: false },
  "zod-sockets 2.3": { contestant: "zod-sockets" },
  "Feathers 5": { contestant: "feathers" },
};

/** Raw with one listener stands for all counts: what the work costs when nothing is between it and the socket. */
const bases = {
  sync1: "sync1",
  sync3: "sync1",
  sync10: "sync1",
  async1: "async1",
  async3: "async1",
  schema1: "schema1",
};

const targets = {
  "NestJS 12": { sync1: 1.6, sync3: 2.8, sync10: 12 },
  "socket-controllers 0.3.1": { sync1: 1.4, sync3: 2.4, sync10: 5 },
};

/** Measures every event of every contestant, one and ten calls in flight. */
export async function run({ load, rounds, windows, quick, log }) {
  // twice through the contestants, in another order: what drifts, drifts for all
  const passes = windows < 40 ? 1 : 2;
  const names = Object.keys(contestants).filter((label) => !quick || !/naive|the same/.test(label));
  const cases = quick
    ? ["sync1", "sync10"].map((event) => ({ event, inFlight: 1 }))
    : events.flatMap(({ name: event }) => [1, 10].map((inFlight) => ({ event, inFlight })));
  const perEvent = {};
  for (let round = 0; round < (quick ? 1 : Math.max(5, rounds)); round++) {
    const servers = {};
    for (const label of shuffled(names)) {
      servers[label] = await serve(load, { it: { ...contestants[label], events, more: moreEvents(10) } });
      for (const { name: event } of events)
        await servers[label].window("it", { event, inFlight: 5 }, quick ? 200 : 600);
    }
    for (const { event, inFlight } of shuffled(cases)) {
      for (let pass = 0; pass < (quick ? 2 : passes); pass++) {
        for (const label of shuffled(names)) {
          await servers[label].window("it", { event, inFlight }, 100);
          const { cpuUs, events: count } = await servers[label].window("it", { event, inFlight }, quick ? 250 : 350);
          const key = `${event} ${inFlight}`;
          const sums = (((perEvent[key] ??= {})[label] ??= [])[round] ??= { cpuUs: 0, count: 0 });
          sums.cpuUs += cpuUs;
          sums.count += count;
        }
      }
      log(`round ${round + 1}, ${event}, ${inFlight} in flight`);
    }
    for (const label of names) await servers[label].end();
  }
  return cases.map(({ event, inFlight }) => {
    const us = (label, of, round) => {
      const { cpuUs, count } = perEvent[`${of} ${inFlight}`][label][round];
      return cpuUs / count;
    };
    const base = quick && perEvent[`${bases[event]} ${inFlight}`] === undefined ? event : bases[event];
    const all = {};
    for (const label of names) {
      const all_rounds = perEvent[`${event} ${inFlight}`][label].map((_, round) => round);
      all[label] = {
        us: spread(all_rounds.map((round) => us(label, event, round))),
        ratio: spread(all_rounds.map((round) => us(label, event, round) / us("raw", base, round))),
      };
    }
    return { event, inFlight, base, contestants: all };
  });
}

/** The section of RESULTS.md. */
export function render(results) {
  const labels = Object.keys(results[0].contestants);
  const rows = labels.map((label) => ({ label }));
  const columns = (inFlight) => [
    ["x raw", ({ label }) => label],
    ...results
      .filter((result) => result.inFlight === inFlight)
      .map(({ event, contestants: all }) => [event, ({ label }) => ratio(all[label].ratio)]),
  ];
  const leads = [];
  for (const [label, times] of Object.entries(targets)) {
    for (const { event, inFlight, contestants: all } of results) {
      if (all[label] === undefined || times[event] === undefined) continue;
      const lead = all[label].us.median / all["socket-ingress"].us.median;
      const leastLead = all[label].us.min / all["socket-ingress"].us.median;
      leads.push({
        title: `${label} / socket-ingress, ${event}, ${inFlight} in flight`,
        lead,
        leastLead,
        target: times[event],
      });
    }
  }
  const behind = results.flatMap(({ event, inFlight, contestants: all }) =>
    Object.entries(all)
      .filter(([label, { us }]) => !/^(raw|socket-ingress)/.test(label) && us.median <= all["socket-ingress"].us.median)
      .map(([label]) => `${label} in ${event} with ${inFlight} in flight`),
  );
  return `## All contestants, end to end

Server CPU time per acknowledged event as a ratio to raw Socket.IO in the same round: median of the rounds, in brackets the
least and the greatest. Every contestant has a server process of its own, fresh in each round and all alive at the same
time; the load (40 WebSocket connections from one client process, the same bytes for all) goes from one to the next in
random order, event by event. A row is compared with raw Socket.IO with *one* listener of the same kind. In columns, the
kind of subscriber and how many of them; the last one answers. zod-sockets always validates; Feathers' further subscribers
are hooks. socket-controllers transforms payloads unless told not to, hence two rows.

${[...new Set(results.map(({ inFlight }) => inFlight))]
  .map(
    (inFlight) =>
      `${inFlight === 1 ? "One call" : `${inFlight} calls`} in flight per connection:\n\n${table(columns(inFlight), rows)}`,
  )
  .join("\n\n")}

Microseconds per event of raw Socket.IO (medians): ${results
    .map(({ event, inFlight, contestants: all }) => `${event}/${inFlight} ${all.raw.us.median.toFixed(1)}`)
    .join(", ")}.

${table(
  [
    ["how many times less CPU than", (row) => row.title],
    ["times", (row) => row.lead.toFixed(2)],
    ["against its best round", (row) => row.leastLead.toFixed(2)],
    ["at least", (row) => `${row.target} ${row.lead >= row.target ? "kept" : "**missed**"}`],
  ],
  leads,
)}

${behind.length === 0 ? "No peer is ahead in any column." : `Ahead of us: ${behind.join("; ")}.`}
`;
}
