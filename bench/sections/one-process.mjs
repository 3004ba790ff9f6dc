/** Ours against Socket.IO alone in one server process: the rows where a few per cent count. */
import { alternate, serve } from "../measure.mjs";
import { median, spread } from "../statistics.mjs";
import { ratio, table, verdict } from "../table.mjs";
import { events } from "../workload.mjs";

export const name = "one-process";

const rows = [
  {
    title: "raw against raw: what the method can't tell apart",
    event: "sync1",
    ours: "/control",
    base: "sync1",
    loads: [1, 10],
  },
  { title: "1 subscriber", event: "sync1", base: "sync1", loads: [1, 10], target: 1.03 },
  { title: "3 subscribers (raw: 1 listener)", event: "sync3", base: "sync1", target: 1.05 },
  { title: "10 subscribers (raw: 1 listener)", event: "sync10", base: "sync1", loads: [1, 10], target: 1.1 },
  {
    title: "1 subscriber with zod (raw: zod in the listener)",
    event: "schema1",
    base: "schema1",
    loads: [1, 10],
    target: 1.03,
  },
  { title: "1 async subscriber (raw: async listener with its own try)", event: "async1", base: "async1" },
  { title: "3 async subscribers (raw: 1)", event: "async3", base: "async1" },
];

/** Measures the rows in as many processes as there are rounds. */
export async function run({ load, rounds, windows: most, quick, log }) {
  const windows = quick ? 10 : most;
  const chosen = quick ? rows.slice(0, 5) : rows;
  const found = new Map();
  for (let round = 0; round < (quick ? 1 : rounds); round++) {
    const server = await serve(load, {
      both: { contestant: "side-by-side", events, only: ["/raw", "/control", "/ours"] },
    });
    for (const row of chosen) {
      for (const inFlight of quick ? [1] : (row.loads ?? [1])) {
        const call = { label: "both", inFlight };
        const calls = {
          raw: { ...call, event: row.base, namespace: "/raw" },
          ours: { ...call, event: row.event, namespace: row.ours ?? "/ours" },
        };
        const sums = await alternate(server, calls, {
          windows,
          windowMs: quick ? 120 : 250,
          warmUpMs: quick ? 300 : 800,
        });
        const perEvent = (which) => median(sums[which].us);
        const key = `${row.title} ${inFlight}`;
        const entry = found.get(key) ?? { ...row, inFlight, ratios: [], rawUs: [] };
        entry.ratios.push(perEvent("ours") / perEvent("raw"));
        entry.rawUs.push(perEvent("raw"));
        found.set(key, entry);
        log(`${row.title}, ${inFlight} in flight: ${entry.ratios.at(-1).toFixed(3)}`);
      }
    }
    await server.end();
  }
  return [...found.values()].map(({ title, inFlight, target, ratios, rawUs }) => ({
    title,
    inFlight,
    target,
    ratio: spread(ratios),
    rawUs: spread(rawUs),
  }));
}

/** The section of RESULTS.md. */
export const render = (
  results,
  { rounds, windows, estimator },
) => `## Ours against Socket.IO alone, in one server process

Server CPU time per acknowledged event (\`process.cpuUsage()\` of the server process over the acknowledgements counted by the
client), as a ratio to a raw \`socket.on\` listener. Both live on one server, over the same 40 connections, in a namespace
each; load goes to one, then to the other, in windows of 250 ms in random order, ${windows} each, without a pause in between; ${estimator === "median" ? "the median" : "CPU time over events"}
of a process's windows counts. ${rounds}
server processes one after another: the median of their ratios, and in brackets the least and the greatest.

${table(
  [
    ["CPU per event, x raw", (row) => row.title],
    ["in flight per connection", (row) => row.inFlight],
    ["ratio", (row) => ratio(row.ratio)],
    ["raw, us", (row) => row.rawUs.median.toFixed(1)],
    ["target", (row) => verdict(row.ratio.median, row.target)],
  ],
  results,
)}
`;
