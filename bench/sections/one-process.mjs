/** Ours against Socket.IO alone in one server process: the rows where a few per cent count. */
import { alternate, serve, windowMs } from "../measure/measure.mjs";
import { onOneServer } from "../measure/rows.mjs";
import { median, pairedRatio, spread } from "../measure/statistics.mjs";
import { fixed, ratio, table, verdict } from "../measure/table.mjs";
import { events } from "../load/workload.mjs";

export const name = "one-process";

const control = "raw against raw: what the method can't tell apart";

const rows = [
  {
    title: control,
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
  const chosen = (quick ? rows.slice(0, 5) : rows).flatMap((row) =>
    (quick ? [1] : (row.loads ?? [1])).map((inFlight) => ({
      ...row,
      inFlight,
      // a row that is held to a few per cent, or says what they are worth, gets twice the windows of the others
      windows: quick ? 24 : row.target === 1.1 || row.event.startsWith("async") ? Math.ceil(most / 2) : most,
      ratios: [],
      rawUs: [],
    })),
  );
  for (let round = 0; round < (quick ? 1 : Math.max(leastProcesses, rounds)); round++) {
    await onOneServer(chosen, {
      log,
      title: ({ title, inFlight }) => `${title}, ${inFlight} in flight`,
      open: () => serve(load, { both: { contestant: "side-by-side", events, only: ["/bare", "/same", "/ours"] } }),
      async measure(server, row) {
        const call = { label: "both", inFlight: row.inFlight };
        const calls = {
          raw: { ...call, event: row.base, namespace: "/bare" },
          ours: { ...call, event: row.event, namespace: row.ours ?? "/ours" },
        };
        const { raw, ours } = await alternate(server, calls, {
          windows: row.windows,
          warmUpMs: quick ? 200 : 400,
        });
        row.ratios.push(pairedRatio(ours.us, raw.us));
        row.rawUs.push(median(raw.us));
        log(`${row.title}, ${row.inFlight} in flight: ${row.ratios.at(-1).toFixed(3)}`);
      },
    });
  }
  return chosen.map(({ title, inFlight, target, windows, ratios, rawUs }) => ({
    title,
    inFlight,
    target,
    windows,
    ratio: spread(ratios),
    rawUs: spread(rawUs),
  }));
}

const controlOf = (results, { inFlight }) =>
  results.find((row) => row.title === control && row.inFlight === inFlight).ratio.median;

/** The section of RESULTS.md. */
export const render = (results) => `## Ours against Socket.IO alone, in one server process

Server CPU time per acknowledged event (\`process.cpuUsage()\` of the server process over the acknowledgements counted by the
client), as a ratio to a raw \`socket.on\` listener. Both live on one server, over the same 40 connections, in a namespace
each; load goes to one, then to the other, in windows of ${windowMs} ms without a pause in between, in a random order that the
next pair has backwards. Each window is compared with the one beside it; a process says the mean of the middle half of these
ratios. ${results[0].ratio.values.length} server processes one after another: the median of what they say, and in brackets the least and the greatest. No target
is judged while raw against raw, with as many calls in flight, is off by more than half of what the target allows.

${table(
  [
    ["CPU per event, x raw", (row) => row.title],
    ["in flight per connection", (row) => row.inFlight],
    ["pairs of windows", (row) => row.windows],
    ["ratio", (row) => ratio(row.ratio, 3)],
    ["raw, us", (row) => fixed(row.rawUs.median, 1)],
    ["target", (row) => verdict(row.ratio.median, { atMost: row.target }, controlOf(results, row))],
  ],
  results,
)}
`;
