/** What becomes of an event's cost when there is more of everything: flat, or not. */
import { alternate, serve } from "../measure.mjs";
import { median, spread } from "../statistics.mjs";
import { figure, ratio, table } from "../table.mjs";
import { events } from "../workload.mjs";
import { measureGroups } from "./dispatch.mjs";

export const name = "growth";

/** Measures in process over events and handlers, end to end over connections and rooms. */
export async function run({ load, rounds, windows, log }) {
  const sizes = [10, 100, 1_000];
  const groups = [
    ...["raw", "ours"].map((contestant) => sizes.map((events) => ({ contestant, events }))),
    sizes.map((handlers) => ({ contestant: "ours", handlers })),
  ];
  const inProcess = (await measureGroups(groups, { rounds, log })).flat();
  const endToEnd = [];
  for (const [of, steps] of [
    ["connections", [40, 400, 4_000]],
    ["rooms", [0, 10, 1_000]],
  ]) {
    for (const size of steps) {
      const ratios = [];
      const us = [];
      for (let round = 0; round < rounds; round++) {
        const options = {
          contestant: "side-by-side",
          events: events.slice(0, 1),
          only: ["/raw", "/ours"],
          rooms: of === "rooms" ? size : 0,
        };
        const server = await serve(load, { both: options }, { connections: of === "connections" ? size : 40 });
        const call = { label: "both", event: "sync1", inFlight: 1, active: 40 };
        const sums = await alternate(
          server,
          { raw: { ...call, namespace: "/raw" }, ours: { ...call, namespace: "/ours" } },
          { windows: Math.ceil(windows / 2) },
        );
        ratios.push(median(sums.ours.us) / median(sums.raw.us));
        us.push(median(sums.ours.us));
        await server.end();
        log(`${size} ${of}: ${ratios.at(-1).toFixed(3)}`);
      }
      endToEnd.push({ of, size, ratio: spread(ratios), us: spread(us) });
    }
  }
  return { inProcess, endToEnd };
}

/** The section of RESULTS.md. */
export const render = ({ inProcess, endToEnd }) => `## Growth

In process, one synchronous subscriber, by the method above: nanoseconds against how many events the socket has used, and how many
handlers are subscribed to other events.

${table(
  [
    ["", (row) => (row.contestant === "ours" ? "socket-ingress" : "socket.on")],
    ["", (row) => (row.events === undefined ? `${row.handlers} handlers` : `${row.events} events`)],
    ["ns", (row) => `${figure(row.ns.median)} (${figure(row.ns.min)}-${figure(row.ns.max)})`],
    ["x the first", (row) => ratio(row.ratios[0])],
  ],
  inProcess,
)}

End to end, in one server process, with 40 connections calling while the others are idle, and with each socket in so many rooms.

${table(
  [
    ["", (row) => `${row.size} ${row.of}`],
    ["CPU per event, x raw", (row) => ratio(row.ratio)],
    ["ours, us", (row) => `${figure(row.us.median)} (${figure(row.us.min)}-${figure(row.us.max)})`],
  ],
  endToEnd,
)}
`;
