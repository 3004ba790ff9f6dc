/** What each thing that can be asked for costs, one at a time. */
import { alternate, serve } from "../measure/measure.mjs";
import { start } from "../measure/processes.mjs";
import { attempt, onOneServer } from "../measure/rows.mjs";
import { pairedRatio, spread } from "../measure/statistics.mjs";
import { figure, figures, ratio, table } from "../measure/table.mjs";
import { events } from "../load/workload.mjs";
import { measureGroups } from "./dispatch.mjs";

export const name = "features";

const wanted = ["schema", "timeout", "concurrency", "interceptor", "diagnostics"];
const namespaces = {
  "/sche": {}, // its event brings the schema
  "/time": { timeoutMs: 5_000 },
  "/conc": { concurrency: 10 },
  "/inte": { use: "pass" },
};

/** What each kind of refusal takes beside an answer, a process for each round. */
async function measureRefusals({ rounds, log }) {
  const runs = [];
  for (let round = 0; round < rounds; round++) {
    const measured = await attempt("refusals", log, async () => {
      const child = await start("measure/refusals.mjs", [], ["--no-warnings"]);
      try {
        return await child.ask("measure");
      } finally {
        await child.stop();
      }
    });
    if (measured !== undefined) runs.push(measured);
  }
  return (runs[0] ?? []).map(({ name }, index) => ({
    name,
    ns: spread(runs.map((run) => run[index].ns)),
    ratio: spread(runs.map((run) => run[index].ns / run[0].ns)),
  }));
}

/** Measures each feature in process, and end to end where it is a matter of a subscription. */
export async function run({ load, rounds, windows, log }) {
  const only = (kind, features) => features.map((feature) => ({ contestant: "ours", kind, feature, waits: true }));
  const groups = [
    ...wanted.map((feature) => only("sync", ["none", feature])),
    ...wanted.map((feature) => only("async", ["none", feature])),
    [
      { contestant: "raw", feature: "schema" },
      { contestant: "ours", feature: "schema" },
    ],
  ];
  const inProcess = (await measureGroups(groups, { rounds, log })).map((group) => ({ base: group[0], ...group[1] }));
  const endToEnd = [];
  const ratios = Object.fromEntries(Object.keys(namespaces).map((namespace) => [namespace, []]));
  for (let round = 0; round < rounds; round++) {
    const call = (namespace) => ({
      label: "all",
      namespace,
      inFlight: 1,
      event: namespace === "/sche" ? "schema1" : "sync1",
    });
    const calls = Object.fromEntries(
      ["/ours", ...Object.keys(namespaces)].map((namespace) => [namespace, call(namespace)]),
    );
    await onOneServer([calls], {
      log,
      title: () => "the features end to end",
      open: () => serve(load, { all: { contestant: "side-by-side", events, ours: namespaces } }),
      async measure(server) {
        const sums = await alternate(server, calls, { windows });
        for (const namespace of Object.keys(namespaces))
          ratios[namespace].push(pairedRatio(sums[namespace].us, sums["/ours"].us));
        log(`round ${round + 1} end to end`);
      },
    });
  }
  for (const namespace of Object.keys(namespaces))
    endToEnd.push({
      feature: wanted.find((feature) => `/${feature}`.startsWith(namespace)),
      ratio: spread(ratios[namespace]),
    });
  return { inProcess, endToEnd, refusals: await measureRefusals({ rounds, log }) };
}

/** The section of RESULTS.md. */
export const render = ({ inProcess, endToEnd, refusals = [] }) => `## The price of each feature

One subscriber, one thing asked for at a time, against the same subscriber of ours with nothing asked for, in turns in one process;
Diagnostics are on while somebody subscribes to the tracing channel (which, in that row, the case
without pays for as well: a process has one such channel).

${table(
  [
    [
      "",
      (row) =>
        `${row.feature}, ${row.kind ?? "sync"}${row.base.contestant === "raw" ? ", against zod in a raw listener" : ""}`,
    ],
    ["x without", (row) => ratio(row.ratios[0])],
    ["ns more", (row) => figure(row.ns.median - row.base.ns.median)],
    ["bytes more", (row) => figure(row.bytes - row.base.bytes)],
  ],
  inProcess,
)}

End to end, CPU per acknowledged event, x the same subscriber of ours with nothing asked for, in one server process:

${table(
  [
    ["feature", (row) => row.feature],
    ["ratio", (row) => ratio(row.ratio)],
  ],
  endToEnd,
)}

What a refusal takes, from the decoded packet to the acknowledgement's call, in process. An error that is thrown takes about a microsecond
by itself, and a stack that is collected many (decision 0045); of invalid input the schema's part is counted, too.

${table(
  [
    ["", (row) => row.name],
    ["ns", (row) => figures(row.ns)],
    ["x answer", (row) => ratio(row.ratio)],
  ],
  refusals,
)}
`;
