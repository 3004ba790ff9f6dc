/** This build against an earlier one, of which there are two copies: what one differs from the other by is what can't be told apart. */
import { alternate, serve } from "../measure/measure.mjs";
import { onOneServer } from "../measure/rows.mjs";
import { median, pairedRatio, spread } from "../measure/statistics.mjs";
import { figures, fixed, ratio, table, verdict } from "../measure/table.mjs";
import { events } from "../load/workload.mjs";
import { measureGroups } from "./dispatch.mjs";

export const name = "baseline";

const builds = ["baseline", "again", "ours"];
const atMost = 1.02;
/** Two copies of one build differ by some per cent in one process, in either direction, all of its life: so many processes. */
const leastProcesses = { inProcess: 15, called: 5 };
/** What ours is of both copies. */
const ofBoth = (ofBaseline, ofAgain) => Math.sqrt(ofBaseline * ofAgain);

/** Few processes tell nothing of two per cent, however their control turns out. */
const targetOf = ({ ratio: { values } }) => (values.length < leastProcesses.inProcess ? {} : { atMost });

/** What is dispatched in process. */
const dispatched = [
  ...[1, 3, 10].map((subscribers) => ({ title: `${subscribers} sync`, subscribers })),
  { title: "1 sync, no reply", acknowledged: false },
  ...[1, 3].map((subscribers) => ({ title: `${subscribers} async`, subscribers, kind: "async" })),
  { title: "1 sync with zod", feature: "schema" },
];

/** What is called over connections. */
const called = [
  { title: "1 subscriber", event: "sync1", inFlight: 1 },
  { title: "1 subscriber", event: "sync1", inFlight: 10 },
  { title: "10 subscribers", event: "sync10", inFlight: 1 },
  { title: "1 subscriber with zod", event: "schema1", inFlight: 1 },
  { title: "1 async subscriber", event: "async1", inFlight: 1 },
];

/** Measures the builds in turns: dispatches in process, then calls to a server of each in one process. */
export async function run({ load, rounds, windows, quick, log }) {
  const processes = (least) => (quick ? 1 : Math.max(least, rounds));
  const groups = dispatched.map((about) => builds.map((contestant) => ({ contestant, ...about })));
  const inProcess = await measureGroups(quick ? groups.slice(0, 3) : groups, {
    rounds: processes(leastProcesses.inProcess),
    log,
  });
  const rows = (quick ? called.slice(0, 1) : called).map((row) => ({ ...row, ratios: [], controls: [], us: [] }));
  const side = (build) => ({ contestant: "side-by-side", events, only: ["/ours"], build });
  for (let round = 0; round < processes(leastProcesses.called); round++) {
    await onOneServer(rows, {
      log,
      title: ({ title, inFlight }) => `${title}, ${inFlight} in flight`,
      open: () => serve(load, Object.fromEntries(builds.map((build) => [build, side(build)]))),
      async measure(server, row) {
        const { event, inFlight } = row;
        const calls = builds.map((label) => [label, { label, event, inFlight, namespace: "/ours" }]);
        const timing = { windows: quick ? 24 : Math.ceil(windows / 2), warmUpMs: quick ? 200 : 400 };
        const { baseline, again, ours } = await alternate(server, Object.fromEntries(calls), timing);
        row.ratios.push(ofBoth(pairedRatio(ours.us, baseline.us), pairedRatio(ours.us, again.us)));
        row.controls.push(pairedRatio(again.us, baseline.us));
        row.us.push(median(baseline.us));
        log(`${row.title}, ${inFlight} in flight: ${row.ratios.at(-1).toFixed(3)}`);
      },
    });
  }
  return {
    inProcess: inProcess.map(([baseline, again, ours]) => ({
      title: ours.title,
      ns: baseline.ns,
      control: spread(again.paired.map(([ofBaseline]) => ofBaseline)),
      ratio: spread(ours.paired.map(([ofBaseline, ofAgain]) => ofBoth(ofBaseline, ofAgain))),
      bytes: Math.round(ours.bytes - baseline.bytes) + 0,
    })),
    endToEnd: rows.map(({ ratios, controls, us, ...row }) => ({
      ...row,
      us: spread(us),
      control: spread(controls),
      ratio: spread(ratios),
    })),
  };
}

/** The section, printed and not kept: an earlier build is nothing for RESULTS.md. */
export const render = ({ inProcess, endToEnd }) => `## Against the baseline

Two copies of the baseline and this build take turns in one process. Each slice or window is compared with those of the same turn; a process
says the mean of the middle half of these ratios, the table their median over the processes, the least and the greatest. The ratio is to both
copies. Dispatches in process, in slices of 2 ms, ${inProcess[0].ratio.values.length} processes:

${table(
  [
    ["ns, x baseline", (row) => row.title],
    ["baseline, ns", (row) => figures(row.ns)],
    ["baseline against itself", (row) => ratio(row.control, 3)],
    ["ratio", (row) => ratio(row.ratio, 3)],
    ["bytes more", (row) => fixed(row.bytes, 0)],
    ["at most", (row) => verdict(row.ratio.median, targetOf(row), row.control.median)],
  ],
  inProcess,
)}

CPU per acknowledged event, a server of each in one process, 40 connections to each, in windows of 50 ms, ${endToEnd[0].ratio.values.length} processes:

${table(
  [
    ["CPU, x baseline", (row) => row.title],
    ["in flight", (row) => row.inFlight],
    ["baseline, us", (row) => figures(row.us)],
    ["baseline against itself", (row) => ratio(row.control, 3)],
    ["ratio", (row) => ratio(row.ratio, 3)],
  ],
  endToEnd,
)}
`;
