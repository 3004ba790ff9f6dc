/** Ours against Socket.IO alone in one server process: the rows where a few per cent count. */
import { alternate, serve, windowMs } from "../measure/measure.mjs";
import { median, pairedRatio, spread } from "../measure/statistics.mjs";
import { ratio, table, verdict } from "../measure/table.mjs";
import { events } from "../load/workload.mjs";

export const name = "one-process";

const rows = [
  {
    title: "raw against raw: what the method can't tell apart",
    event: "sync1",
    ours: "/same",
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

/** A process differs from the next by half a per cent whatever both do, so there are more of them than other sections need. */
const leastProcesses = 5;

/** Measures the rows in as many processes as there are rounds, five at least. */
export async function run({ load, rounds, windows: most, quick, log }) {
  const chosen = quick ? rows.slice(0, 5) : rows;
  const found = new Map();
  for (let round = 0; round < (quick ? 1 : Math.max(leastProcesses, rounds)); round++) {
    const server = await serve(load, {
      both: { contestant: "side-by-side", events, only: ["/bare", "/same", "/ours"] },
    });
    for (const row of chosen) {
      for (const inFlight of quick ? [1] : (row.loads ?? [1])) {
        const call = { label: "both", inFlight };
        const calls = {
          raw: { ...call, event: row.base, namespace: "/bare" },
          ours: { ...call, event: row.event, namespace: row.ours ?? "/ours" },
        };
        // a row that is held to a few per cent, or says what they are worth, gets twice the windows of the others
        const windows = quick ? 24 : row.target === 1.1 || row.event.startsWith("async") ? Math.ceil(most / 2) : most;
        const { raw, ours } = await alternate(server, calls, { windows, warmUpMs: quick ? 200 : 400 });
        const key = `${row.title} ${inFlight}`;
        const entry = found.get(key) ?? { ...row, inFlight, windows, ratios: [], rawUs: [] };
        entry.ratios.push(pairedRatio(ours.us, raw.us));
        entry.rawUs.push(median(raw.us));
        found.set(key, entry);
        log(`${row.title}, ${inFlight} in flight: ${entry.ratios.at(-1).toFixed(3)}`);
      }
    }
    await server.end();
  }
  return [...found.values()].map(({ title, inFlight, target, windows, ratios, rawUs }) => ({
    title,
    inFlight,
    target,
    windows,
    ratio: spread(ratios),
    rawUs: spread(rawUs),
  }));
}

/** The section of RESULTS.md. */
export const render = (results) => `## Ours against Socket.IO alone, in one server process

Server CPU time per acknowledged event (\`process.cpuUsage()\` of the server process over the acknowledgements counted by the
client), as a ratio to a raw \`socket.on\` listener. Both live on one server, over the same 40 connections, in a namespace
each; load goes to one, then to the other, in windows of ${windowMs} ms without a pause in between, in a random order that the
next pair has backwards. Each window is compared with the one beside it; a process says the mean of the middle half of these
ratios. ${results[0].ratio.values.length} server processes one after another: the median of what they say, and in brackets the least and the greatest.

${table(
  [
    ["CPU per event, x raw", (row) => row.title],
    ["in flight per connection", (row) => row.inFlight],
    ["pairs of windows", (row) => row.windows],
    ["ratio", (row) => ratio(row.ratio, 3)],
    ["raw, us", (row) => row.rawUs.median.toFixed(1)],
    ["target", (row) => verdict(row.ratio.median, row.target)],
  ],
  results,
)}
`;
