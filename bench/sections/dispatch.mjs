/** What a dispatch takes in process: nanoseconds and bytes, for ours, for the emitter below it and for what one writes by hand. */
import { start } from "../measure/processes.mjs";
import { attempt } from "../measure/rows.mjs";
import { median, shuffled, spread } from "../measure/statistics.mjs";
import { figure, figures, ratio, table, verdict } from "../measure/table.mjs";

export const name = "dispatch";

/** One row each: the cases that take turns in one process. */
const groups = [
  ...[1, 3, 10, 100].map((subscribers) =>
    ["emitter", "raw", "guarded", "helper", "ours"].map((contestant) => ({ contestant, subscribers })),
  ),
  ["emitter", "raw", "ours"].map((contestant) => ({ contestant, acknowledged: false })),
  ...[1, 3, 10, 100].map((subscribers) =>
    ["wrapped", "asyncHelper", "ours"].map((contestant) => ({ contestant, subscribers, kind: "async" })),
  ),
];

/** The cases of one group in a process of their own, in order. */
async function measureGroup(cases) {
  // a young generation of 128 MB: no collection falls into the counting of bytes
  const flags = ["--expose-gc", "--max-semi-space-size=128", "--min-semi-space-size=128", "--no-warnings"];
  const child = await start("measure/dispatch.mjs", [JSON.stringify(cases)], flags);
  try {
    return await child.ask("measure");
  } finally {
    await child.stop();
  }
}

/** Measures groups of cases in turns; in each group, ratios are to its first case, process by process. */
export async function measureGroups(all, { rounds, log }) {
  const found = all.map((cases) => ({ cases, runs: [] }));
  for (let round = 0; round < rounds; round++) {
    for (const { cases, runs } of shuffled(found)) {
      const measured = await attempt(JSON.stringify(cases.at(-1)), log, () => measureGroup(cases));
      if (measured !== undefined) runs.push(measured);
    }
    log(`round ${round + 1} of ${all.length} processes`);
  }
  return found.map(({ cases, runs }) =>
    cases.map((options, index) => ({
      ...options,
      ns: spread(runs.map((run) => run[index].ns)),
      minNs: spread(runs.map((run) => run[index].minNs)).min,
      bytes: median(runs.map((run) => run[index].bytes)),
      ratios: cases.map((_, base) => spread(runs.map((run) => run[index].ns / run[base].ns))),
      paired: runs.map((run) => run[index].paired),
    })),
  );
}

/** Measures all groups. */
export const run = ({ rounds, log }) => measureGroups(groups, { rounds, log });

const titles = {
  emitter: "EventEmitter.emit",
  raw: "socket.on",
  guarded: "socket.on, a try written into each listener",
  helper: "socket.on, each listener wrapped by a guard helper",
  wrapped: "an async listener with its try written out",
  asyncHelper: "an async wrapper helper, written by hand",
  ours: "socket-ingress",
};

/** What ours is held to. */
const targets = {
  "1 sync emitter": 1.4,
  "10 sync emitter": 1.15,
  "1 sync helper": 0.85,
  "10 sync helper": 0.85,
  "1 async asyncHelper": 0.9,
};

const describe = ({ subscribers = 1, kind = "sync", acknowledged = true }) =>
  `${subscribers} ${kind}${acknowledged ? "" : ", no reply"}`;

/** The section of RESULTS.md. */
export function render(results) {
  const comparisons = results.flatMap((group) => {
    const ours = group.at(-1);
    return group.slice(0, -1).map(({ contestant }, index) => ({
      title: titles[contestant],
      subscribers: describe(ours),
      ratio: ours.ratios[index],
      target: targets[`${describe(ours)} ${contestant}`],
    }));
  });
  return `## A dispatch in process

From the decoded event to the acknowledgement's call, without parser, WebSocket and TCP: \`emit\` of Node's EventEmitter called
on the server's side of a real connection, where ours has put its own listener. Every subscriber is a function of its own
(compiled apart, so that nothing is specialised to one), the last one answers with a new object. The cases of a row take
turns of 2 ms in one process, in random order, 150 each after a warm-up with four events: a process gives the median of
each and their ratios; the table has the median over the processes, the least and the greatest. Async subscribers await
once; ten events are in flight, and the time is until all are answered. Bytes are the growth of the heap over some
thousand dispatches without a collection ("not counted" where there was one). What is written by hand has no time limit, no limit of events in flight and no shutdown.

${table(
  [
    ["", (row) => titles[row.contestant]],
    ["subscribers", describe],
    ["ns", (row) => figures(row.ns)],
    ["least ns", (row) => figure(row.minNs)],
    ["bytes", (row) => (row.bytes < 0 ? "not counted" : figure(row.bytes))],
  ],
  results.flat(),
)}

${table(
  [
    ["socket-ingress, x", (row) => row.title],
    ["subscribers", (row) => row.subscribers],
    ["ratio", (row) => ratio(row.ratio)],
    ["target", (row) => verdict(row.ratio.median, { atMost: row.target }, 1)],
  ],
  comparisons,
)}
`;
}
