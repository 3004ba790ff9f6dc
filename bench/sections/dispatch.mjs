/** What a dispatch takes in process: nanoseconds and bytes, for ours, for the emitter below it and for what one writes by hand. */
import { start } from "../processes.mjs";
import { shuffled, spread } from "../statistics.mjs";
import { figure, table, verdict } from "../table.mjs";

export const name = "dispatch";

const counts = [1, 3, 10, 100];

const cases = [
  ...counts.flatMap((subscribers) =>
    ["emitter", "raw", "guarded", "helper", "ours"].map((contestant) => ({ contestant, subscribers, kind: "sync" })),
  ),
  ...["emitter", "raw", "ours"].map((contestant) => ({ contestant, subscribers: 1, kind: "sync", acknowledged: false })),
  ...counts.flatMap((subscribers) => ["wrapped", "ours"].map((contestant) => ({ contestant, subscribers, kind: "async" }))),
];

/** Runs one case in a process of its own. */
export async function measureDispatch(options, samples) {
  // a young generation of 128 MB: no collection falls into the counting of bytes
  const flags = ["--expose-gc", "--max-semi-space-size=128", "--min-semi-space-size=128", "--no-warnings"];
  const child = await start("dispatch.mjs", [JSON.stringify(options)], flags);
  try {
    return await child.ask("measure", samples);
  } finally {
    await child.stop();
  }
}

/** Runs each case in turns, and puts the results of all rounds beside it. */
export async function measureCases(all, { rounds, log, samples = {} }) {
  const found = all.map((options) => ({ ...options, results: [] }));
  for (let round = 0; round < rounds; round++) {
    for (const entry of shuffled(found)) {
      const { results, ...options } = entry;
      results.push(await measureDispatch(options, samples));
    }
    log(`round ${round + 1} of ${all.length} processes`);
  }
  return found.map(({ results, ...options }) => ({
    ...options,
    ns: spread(results.map(({ ns }) => ns)),
    minNs: Math.min(...results.map(({ minNs }) => minNs)),
    bytes: spread(results.map(({ bytes }) => bytes)),
  }));
}

/** Measures all cases, five processes each at least. */
export const run = ({ rounds, log }) => measureCases(cases, { rounds: Math.max(5, rounds), log });

const targets = [
  { ours: { subscribers: 1, kind: "sync" }, to: "emitter", target: 1.4 },
  { ours: { subscribers: 3, kind: "sync" }, to: "emitter" },
  { ours: { subscribers: 10, kind: "sync" }, to: "emitter", target: 1.15 },
  { ours: { subscribers: 100, kind: "sync" }, to: "emitter" },
  ...counts.map((subscribers) => ({ ours: { subscribers, kind: "sync" }, to: "helper", target: 0.85 })),
  ...counts.map((subscribers) => ({ ours: { subscribers, kind: "sync" }, to: "guarded" })),
  ...counts.map((subscribers) => ({ ours: { subscribers, kind: "async" }, to: "wrapped", target: 0.9 })),
];

const titles = {
  emitter: "EventEmitter.emit",
  raw: "socket.on",
  guarded: "socket.on, each listener with a try of its own",
  helper: "socket.on, each listener wrapped by a guard helper",
  wrapped: "hand-written async wrapper",
  ours: "socket-ingress",
};

/** The section of RESULTS.md. */
export function render(results) {
  const find = (contestant, { subscribers, kind }) =>
    results.find((row) => row.contestant === contestant && row.subscribers === subscribers && row.kind === kind && row.acknowledged !== false);
  const rows = targets.map(({ ours, to, target }) => {
    const [mine, theirs] = [find("ours", ours), find(to, ours)];
    return { ...ours, to, target, ratio: mine.ns.median / theirs.ns.median, best: mine.minNs / theirs.minNs };
  });
  return `## A dispatch in process

From the decoded event to the acknowledgement's call, without parser, WebSocket and TCP: \`emit\` of Node's EventEmitter called
on the server's side of a real connection, where ours has put its own listener. Every subscriber is a function of its own
(compiled apart, so that nothing is specialised to one), the last one answers with a new object. Every case in processes of
its own, 30 samples of 10 ms in each after a warm-up with four events; the median over the processes of each one's median,
and the least sample of all. Async subscribers await once; ten events are in flight, and the time is until all are answered.
Bytes are the growth of the heap over 5,000 dispatches without a collection. The hand-written wrapper awaits its
subscribers in turn in a try each; it has no time limit, no limit of events in flight and no shutdown.

${table(
  [
    ["", (row) => titles[row.contestant]],
    ["subscribers", (row) => `${row.subscribers} ${row.kind}${row.acknowledged === false ? ", no reply" : ""}`],
    ["ns", (row) => `${figure(row.ns.median)} (${figure(row.ns.min)}-${figure(row.ns.max)})`],
    ["least ns", (row) => figure(row.minNs)],
    ["bytes", (row) => figure(row.bytes.median)],
  ],
  results,
)}

${table(
  [
    ["socket-ingress against", (row) => titles[row.to]],
    ["subscribers", (row) => `${row.subscribers} ${row.kind}`],
    ["medians", (row) => row.ratio.toFixed(2)],
    ["least samples", (row) => row.best.toFixed(2)],
    ["target", (row) => verdict(row.ratio, row.target)],
  ],
  rows,
)}
`;
}
