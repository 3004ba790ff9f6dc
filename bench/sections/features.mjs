/** What each thing that can be asked for costs, one at a time. */
import { alternate, serve } from "../measure.mjs";
import { spread } from "../statistics.mjs";
import { figure, ratio, table } from "../table.mjs";
import { events } from "../workload.mjs";
import { measureCases } from "./dispatch.mjs";

export const name = "features";

const wanted = ["none", "schema", "timeout", "concurrency", "interceptor", "diagnostics"];
const namespaces = {
  "/schema": { schema: true },
  "/timeout": { timeoutMs: 5_000 },
  "/concurrency": { concurrency: 10 },
  "/interceptor": { use: "pass" },
};

/** Measures each feature in process, and end to end where it is a matter of a subscription. */
export async function run({ load, rounds, log }) {
  const inProcess = await measureCases(
    [
      { contestant: "raw", feature: "none" },
      { contestant: "raw", feature: "schema" },
      ...wanted.map((feature) => ({ contestant: "ours", feature, kind: feature === "interceptor" ? "async" : "sync" })),
      ...wanted.map((feature) => ({ contestant: "ours", feature, kind: "async" })).filter(({ feature }) => feature !== "interceptor"),
    ],
    { rounds, log },
  );
  const endToEnd = [];
  const ratios = {};
  for (let round = 0; round < rounds; round++) {
    const ours = Object.fromEntries(Object.entries(namespaces).map(([namespace, { schema: _, ...options }]) => [namespace, options]));
    const server = await serve(load, { all: { contestant: "side-by-side", events, ours } });
    const call = (namespace) => ({ label: "all", namespace, inFlight: 1, event: namespace === "/schema" ? "schema1" : "sync1" });
    const calls = Object.fromEntries(["/ours", ...Object.keys(namespaces)].map((namespace) => [namespace, call(namespace)]));
    const sums = await alternate(server, calls, { windows: 40 });
    const perEvent = (which) => sums[which].cpuUs / sums[which].events;
    for (const namespace of Object.keys(namespaces)) (ratios[namespace] ??= []).push(perEvent(namespace) / perEvent("/ours"));
    await server.end();
    log(`round ${round + 1} end to end`);
  }
  for (const namespace of Object.keys(namespaces)) endToEnd.push({ feature: namespace.slice(1), ratio: spread(ratios[namespace]) });
  return { inProcess, endToEnd };
}

/** The section of RESULTS.md. */
export const render = ({ inProcess, endToEnd }) => `## The price of each feature

One subscriber, one thing asked for at a time: in process, nanoseconds and bytes per dispatch (an interceptor makes a promise, so it
stands among the async rows); diagnostics are on while somebody subscribes to the tracing channel.

${table(
  [
    ["", (row) => `${row.contestant === "ours" ? "socket-ingress" : "socket.on"}, ${row.kind ?? "sync"}`],
    ["feature", (row) => row.feature],
    ["ns", (row) => `${figure(row.ns.median)} (${figure(row.ns.min)}-${figure(row.ns.max)})`],
    ["least ns", (row) => figure(row.minNs)],
    ["bytes", (row) => figure(row.bytes.median)],
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
`;
