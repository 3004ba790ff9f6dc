/** Write coalescing: Socket.IO alone and ours, with it and without it, on the same server and the same connections. */
import { broadcastsEach } from "../contestants/side-by-side.mjs";
import { alternate, serve, windowMs } from "../measure/measure.mjs";
import { median, pairedRatio, spread, turns } from "../measure/statistics.mjs";
import { ratio, table, verdict } from "../measure/table.mjs";
import { events } from "../load/workload.mjs";

export const name = "coalescing";

const receivers = 1_000;

/** Measures calls in a closed loop, calls at a fixed pace, and broadcasts. */
export async function run({ load, rounds, windows: most, quick, log }) {
  const found = new Map();
  const note = (title, target, on, off) => {
    const entry = found.get(title) ?? { title, target, ratios: [], latencies: [] };
    entry.ratios.push(pairedRatio(on.us, off.us));
    entry.latencies.push({
      on: { p50Ms: median(on.p50Ms), p99Ms: median(on.p99Ms) },
      off: { p50Ms: median(off.p50Ms), p99Ms: median(off.p99Ms) },
    });
    found.set(title, entry);
    log(`${title}: ${entry.ratios.at(-1).toFixed(3)}`);
  };
  for (let round = 0; round < (quick ? 1 : rounds); round++) {
    const calls = await serve(load, { both: { contestant: "side-by-side", events, only: ["/bare", "/ours"] } });
    const timing = { windows: quick ? 16 : Math.ceil(most / 2), warmUpMs: quick ? 200 : 400 };
    const raw = { label: "both", event: "sync1", namespace: "/bare", settings: { coalesce: false } };
    const merged = { ...raw, settings: { coalesce: true } };
    const ours = { ...merged, namespace: "/ours" };
    for (const [inFlight, target] of [
      [1, 0.96],
      [10, 0.7],
    ]) {
      const sums = await alternate(
        calls,
        { raw: { ...raw, inFlight }, merged: { ...merged, inFlight }, ours: { ...ours, inFlight } },
        timing,
      );
      note(`raw with coalescing, ${inFlight} in flight`, target, sums.merged, sums.raw);
      note(`ours with coalescing, ${inFlight} in flight`, target, sums.ours, sums.raw);
    }
    if (!quick) {
      for (const inFlight of [1, 10]) {
        const paced = { inFlight, everyMs: 20 };
        const sums = await alternate(
          calls,
          { raw: { ...raw, ...paced }, ours: { ...ours, ...paced } },
          { ...timing, windows: Math.ceil(most / 10), windowMs: 1_000 },
        );
        note(
          `ours with coalescing, ${inFlight} at a time every 20 ms on each connection`,
          undefined,
          sums.ours,
          sums.raw,
        );
      }
    }
    await calls.end();

    const pushes = await serve(
      load,
      { both: { contestant: "side-by-side", events, only: ["/bare"] } },
      { connections: quick ? 300 : receivers },
    );
    const sums = {
      on: { us: [], p50Ms: [], p99Ms: [] },
      off: { us: [], p50Ms: [], p99Ms: [] },
    };
    let skipped = 3;
    for (const order of turns(["on", "off"], skipped + (quick ? 6 : Math.ceil(most / 4)))) {
      for (const which of order) {
        await pushes.ask("control", { label: "both", coalesce: which === "on" });
        const from = await pushes.ask("cpu");
        const options = {
          group: pushes.group("both"),
          event: "blast",
          namespace: "/bare",
          rounds: quick ? 3 : 5,
          pushesEach: broadcastsEach,
        };
        const counts = await load.ask("broadcasts", options);
        const cpuUs = (await pushes.ask("cpu")) - from;
        if (skipped > 0) continue;
        sums[which].us.push(cpuUs / counts.events);
        sums[which].p50Ms.push(counts.p50Ms);
        sums[which].p99Ms.push(counts.p99Ms);
      }
      skipped--;
    }
    note(`${broadcastsEach} broadcasts in a turn to ${quick ? 300 : receivers} sockets`, 0.6, sums.on, sums.off);
    await pushes.end();
  }
  return [...found.values()].map(({ title, target, ratios, latencies }) => ({
    title,
    target,
    ratio: spread(ratios),
    p50Ms: { on: median(latencies.map(({ on }) => on.p50Ms)), off: median(latencies.map(({ off }) => off.p50Ms)) },
    p99Ms: { on: median(latencies.map(({ on }) => on.p99Ms)), off: median(latencies.map(({ off }) => off.p99Ms)) },
  }));
}

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
    ["target", (row) => verdict(row.ratio.median, row.target)],
    ["p50 ms, without -> with", (row) => `${row.p50Ms.off.toFixed(2)} -> ${row.p50Ms.on.toFixed(2)}`],
    ["p99 ms, without -> with", (row) => `${row.p99Ms.off.toFixed(2)} -> ${row.p99Ms.on.toFixed(2)}`],
  ],
  results,
)}
`;
