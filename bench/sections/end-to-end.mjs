/** Every contestant in a server process of its own, under the same load, in turns. */
import { serve } from "../measure/measure.mjs";
import { attempt } from "../measure/rows.mjs";
import { median, pairedRatio, shuffled, spread, turns } from "../measure/statistics.mjs";
import { fixed, ratio, table, verdict } from "../measure/table.mjs";
import { events, moreEvents } from "../load/workload.mjs";

export const name = "end-to-end";

/** What all are measured by: raw in a process of its own, so that `raw` says by how much two processes differ that do the same. */
const reference = { contestant: "raw" };

/** Who takes part. */
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

/** A window of a case; short, for the machine changes its pace, and each is compared with the raw ones beside it. */
const windowMs = 60;
/** One process differs from the next whatever both do, and NestJS has two paces: so many processes of each at least. */
const leastProcesses = 5;
/** A lead is not judged when raw in a process of its own is further from raw in another. */
const processesDiffer = 0.1;

/** Measures every event of every contestant, one and ten calls in flight. */
export async function run({ load, rounds, windows, quick, log }) {
  const passes = quick ? 2 : Math.max(1, Math.round(windows / 20));
  const names = Object.keys(contestants).filter((label) => !quick || !/naive|the same/.test(label));
  const cases = (
    quick
      ? ["sync1", "sync10"].map((event) => ({ event, inFlight: 1 }))
      : events.flatMap(({ name: event }) => [1, 10].map((inFlight) => ({ event, inFlight })))
  ).map((each) => ({ ...each, base: bases[each.event], found: Object.fromEntries(names.map((name) => [name, []])) }));
  for (let round = 0; round < (quick ? 1 : Math.max(leastProcesses, rounds)); round++) {
    const servers = {};
    /** What `measure` finds; who fails is out for the rest of the round. */
    const by = async (label, measure) => {
      const found = servers[label] && (await attempt(label, log, () => measure(servers[label])));
      if (found !== undefined) return found;
      await servers[label]?.stop();
      delete servers[label];
      return NaN;
    };
    for (const label of shuffled(["reference", ...names])) {
      const contestant = label === "reference" ? reference : contestants[label];
      servers[label] = await attempt(label, log, () =>
        serve(load, { it: { ...contestant, events, more: moreEvents(10) } }),
      );
      for (const { name: event } of events)
        await by(label, (server) => server.window("it", { event, inFlight: 5 }, quick ? 150 : 300));
    }
    for (const { event, inFlight, base, found } of shuffled(cases)) {
      const of = (label, name) =>
        by(label, async (server) => {
          // what other processes took out of the caches is brought back before it counts: the longer ago, the more there is
          await server.window("it", { event: name, inFlight }, 20);
          const { cpuUs, events: count } = await server.window("it", { event: name, inFlight }, windowMs);
          return cpuUs / count;
        });
      const measured = await amongRaw(
        names,
        passes,
        () => of("reference", base),
        (label) => of(label, event),
      );
      for (const label of names) {
        const isWhole = (await by(label, (server) => server.check("it").then(() => 1))) === 1;
        found[label].push(isWhole ? measured[label] : { us: NaN, ratio: NaN });
      }
      log(`round ${round + 1}, ${event}, ${inFlight} in flight: ${fixed(measured["socket-ingress"].ratio, 2)}`);
    }
    for (const server of Object.values(servers)) await attempt("closing the connections", log, () => server?.end());
  }
  return cases.map(({ event, inFlight, base, found }) => ({
    event,
    inFlight,
    base,
    contestants: Object.fromEntries(
      names.map((label) => [
        label,
        { us: spread(found[label].map(({ us }) => us)), ratio: spread(found[label].map((each) => each.ratio)) },
      ]),
    ),
  }));
}

/** Windows of all in turns, and one of raw between any two: each is compared with the raw ones before and after it. */
async function amongRaw(names, passes, ofRaw, of) {
  const us = Object.fromEntries(names.map((name) => [name, []]));
  const beside = Object.fromEntries(names.map((name) => [name, []]));
  await ofRaw();
  let before = await ofRaw();
  for (const order of turns(names, passes)) {
    for (const name of order) {
      us[name].push(await of(name));
      const after = await ofRaw();
      beside[name].push((before + after) / 2);
      before = after;
    }
  }
  return Object.fromEntries(
    names.map((name) => {
      const isWhole = [...us[name], ...beside[name]].every(Number.isFinite);
      return [
        name,
        isWhole ? { us: median(us[name]), ratio: pairedRatio(us[name], beside[name]) } : { us: NaN, ratio: NaN },
      ];
    }),
  );
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
      const lead = all[label].ratio.median / all["socket-ingress"].ratio.median;
      const leastLead = all[label].ratio.min / all["socket-ingress"].ratio.median;
      leads.push({
        title: `${label} / socket-ingress, ${event}, ${inFlight} in flight`,
        lead,
        leastLead,
        target: times[event],
        control: all.raw.ratio.median,
      });
    }
  }
  const behind = results.flatMap(({ event, inFlight, contestants: all }) =>
    Object.entries(all)
      .filter(
        ([label, { ratio: own }]) =>
          !/^(raw|socket-ingress)/.test(label) && own.median <= all["socket-ingress"].ratio.median,
      )
      .map(([label]) => `${label} in ${event} with ${inFlight} in flight`),
  );
  return `## All contestants, end to end

Server CPU time per acknowledged event as a ratio to raw Socket.IO with *one* listener of the same kind: median of the rounds, in
brackets the least and the greatest. Every contestant has a server process of its own, fresh in each round and all alive at the
same time; the load (40 WebSocket connections from one client process, the same bytes for all) goes from one to the next in
windows of ${windowMs} ms (after 20 ms that do not count), event by event, in a random order and then the same backwards. What all are
measured by is a process of its own too, which has a window between any two of theirs; each is compared with the two beside it,
and a round says the mean of the middle half of these ratios. So the row of raw shows by how much two processes differ that do
the same, and what more listeners cost; a lead is not judged where that is more than ${processesDiffer * 100} %. In columns, the kind of subscriber and how many of them; the last one answers.
zod-sockets always validates; Feathers' further subscribers are hooks. socket-controllers transforms payloads unless told not
to, hence two rows.

${[...new Set(results.map(({ inFlight }) => inFlight))]
  .map(
    (inFlight) =>
      `${inFlight === 1 ? "One call" : `${inFlight} calls`} in flight per connection:\n\n${table(columns(inFlight), rows)}`,
  )
  .join("\n\n")}

Microseconds per event of raw Socket.IO (medians): ${results
    .map(({ event, inFlight, contestants: all }) => `${event}/${inFlight} ${fixed(all.raw.us.median, 1)}`)
    .join(", ")}.

${table(
  [
    ["how many times less CPU than", (row) => row.title],
    ["times", (row) => fixed(row.lead, 2)],
    ["against its best round", (row) => fixed(row.leastLead, 2)],
    ["at least", (row) => verdict(row.lead, { atLeast: row.target }, row.control, processesDiffer)],
  ],
  leads,
)}

${behind.length === 0 ? "No peer is ahead in any column." : `Ahead of us: ${behind.join("; ")}.`}
`;
}
