/** Write coalescing: Socket.IO alone and ours, with it and without it, on the same server and the same connections. */
import { broadcastsEach } from "../contestants/side-by-side.mjs";
import { alternate, serve, windowMs } from "../measure/measure.mjs";
import { onOneServer } from "../measure/rows.mjs";
import { median, pairedRatio, spread, turns } from "../measure/statistics.mjs";
import { fixed, ratio, table, verdict } from "../measure/table.mjs";
import { events } from "../load/workload.mjs";

export const name = "coalescing";

const receivers = 1_000;

/** What is measured at one time: calls in a closed loop, calls at a fixed pace, and broadcasts. */
const loads = [
  { of: "1 in flight", call: { inFlight: 1 }, target: 0.96 },
  { of: "10 in flight", call: { inFlight: 10 }, target: 0.7 },
  { of: "1 at a time every 20 ms on each connection", call: { inFlight: 1, everyMs: 20 } },
  { of: "10 at a time every 20 ms on each connection", call: { inFlight: 10, everyMs: 20 } },
];
const titles = {
  same: "raw against raw: what the method can't tell apart",
  merged: "raw with coalescing",
  ours: "ours with coalescing",
};
const control = "same";

/** Measures calls in a closed loop, calls at a fixed pace, and broadcasts. */
export async function run({ load, rounds, windows: most, quick, log }) {
  const row = (of, way, title, target) => ({ of, way, title, target, ratios: [], on: [], off: [] });
  const calls = loads
    .filter(({ call }) => !quick || call.everyMs === undefined)
    .map((each) => ({
      ...each,
      rows: Object.entries(titles)
        .filter(([way]) => way !== "merged" || each.call.everyMs === undefined)
        .map(([way, title]) => row(each.of, way, `${title}, ${each.of}`, way === control ? undefined : each.target)),
    }));
  const sockets = quick ? 300 : receivers;
  const of = `${broadcastsEach} broadcasts in a turn to ${sockets} sockets`;
  const broadcasts = [{ of, rows: [row(of, "same", `${titles.same}, ${of}`), row(of, "merged", of, 0.6)] }];
  const note = ({ rows }, sums) => {
    for (const { way, title, ...entry } of rows) {
      entry.ratios.push(pairedRatio(sums[way].us, sums.raw.us));
      entry.on.push({ p50Ms: median(sums[way].p50Ms), p99Ms: median(sums[way].p99Ms) });
      entry.off.push({ p50Ms: median(sums.raw.p50Ms), p99Ms: median(sums.raw.p99Ms) });
      log(`${title}: ${entry.ratios.at(-1).toFixed(3)}`);
    }
  };
  for (let round = 0; round < (quick ? 1 : rounds); round++) {
    await onOneServer(calls, {
      log,
      title: (each) => each.of,
      open: () => serve(load, { both: { contestant: "side-by-side", events, only: ["/bare", "/ours"] } }),
      async measure(server, each) {
        const raw = {
          label: "both",
          event: "sync1",
          namespace: "/bare",
          settings: { coalesce: false },
          ...each.call,
        };
        const merged = { ...raw, settings: { coalesce: true } };
        const all = { raw, same: raw, merged, ours: { ...merged, namespace: "/ours" } };
        const ways = ["raw", ...each.rows.map(({ way }) => way)];
        const timing =
          each.call.everyMs === undefined
            ? { windows: quick ? 16 : Math.ceil(most / 2), warmUpMs: quick ? 200 : 400 }
            : { windows: Math.ceil(most / 10), windowMs: 1_000, warmUpMs: 400 };
        note(each, await alternate(server, Object.fromEntries(ways.map((way) => [way, all[way]])), timing));
      },
    });
    await onOneServer(broadcasts, {
      log,
      title: (each) => each.of,
      open: () =>
        serve(load, { both: { contestant: "side-by-side", events, only: ["/bare"] } }, { connections: sockets }),
      measure: async (server, each) => note(each, await alternateBroadcasts(load, server, quick, most)),
    });
  }
  return [...calls, ...broadcasts].flatMap(({ rows }) =>
    rows.map(({ ratios, on, off, ...about }) => ({
      ...about,
      ratio: spread(ratios),
      p50Ms: { on: median(on.map(({ p50Ms }) => p50Ms)), off: median(off.map(({ p50Ms }) => p50Ms)) },
      p99Ms: { on: median(on.map(({ p99Ms }) => p99Ms)), off: median(off.map(({ p99Ms }) => p99Ms)) },
    })),
  );
}

/** The windows of `alternate`, each a few broadcasts. */
async function alternateBroadcasts(load, server, quick, most) {
  const ways = { raw: false, same: false, merged: true };
  const sums = Object.fromEntries(Object.keys(ways).map((way) => [way, { us: [], p50Ms: [], p99Ms: [] }]));
  let skipped = 3;
  for (const order of turns(Object.keys(ways), skipped + (quick ? 6 : Math.ceil(most / 4)))) {
    for (const way of order) {
      await server.ask("control", { label: "both", coalesce: ways[way] });
      const from = await server.ask("cpu");
      const options = {
        group: server.group("both"),
        event: "blast",
        namespace: "/bare",
        rounds: quick ? 3 : 5,
        pushesEach: broadcastsEach,
      };
      const counts = await load.ask("broadcasts", options);
      const cpuUs = (await server.ask("cpu")) - from;
      if (skipped > 0) continue;
      sums[way].us.push(cpuUs / counts.events);
      sums[way].p50Ms.push(counts.p50Ms);
      sums[way].p99Ms.push(counts.p99Ms);
    }
    skipped--;
  }
  await server.check("both");
  return sums;
}

/** Results from before there was a control have none. */
const controlOf = (results, { of }) => {
  const found = results.find((row) => row.of === of && row.way === control);
  return found === undefined ? 1 : found.ratio.median;
};

/** The section of RESULTS.md. */
export const render = (results) => `## Write coalescing

The same method, one server process, the same connections and windows of ${windowMs} ms; coalescing is switched on and off between
windows. Per acknowledged event, or per push received. Latencies are the client's: from the call (for broadcasts: from the call
that causes them until the last of them has arrived) as the median over the windows of each window's p50 and p99. The calls every
20 ms, in windows of a second, leave the server idle most of the time, so their latencies are not those of a queue.

${table(
  [
    ["CPU, x raw without coalescing", (row) => row.title],
    ["ratio", (row) => ratio(row.ratio)],
    ["target", (row) => verdict(row.ratio.median, { atMost: row.target }, controlOf(results, row))],
    ["p50 ms, without -> with", ({ p50Ms }) => `${fixed(p50Ms.off, 2)} -> ${fixed(p50Ms.on, 2)}`],
    ["p99 ms, without -> with", ({ p99Ms }) => `${fixed(p99Ms.off, 2)} -> ${fixed(p99Ms.on, 2)}`],
  ],
  results,
)}
`;
