/** What becomes of an event's cost when there is more of everything: flat, or not. */
import { alternate, serve } from "../measure/measure.mjs";
import { onOneServer } from "../measure/rows.mjs";
import { median, pairedRatio, shuffled, spread } from "../measure/statistics.mjs";
import { figures, ratio, table } from "../measure/table.mjs";
import { events } from "../load/workload.mjs";
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
  const rows = [
    ...[40, 400, 4_000].map((size) => ({ of: "connections", size, ratios: [], us: [] })),
    ...[0, 10, 1_000].map((size) => ({ of: "rooms", size, ratios: [], us: [] })),
  ];
  for (let round = 0; round < rounds; round++) {
    // in another order each round, for the microseconds of one row are compared with those of another
    for (const row of shuffled(rows)) {
      await onOneServer([row], {
        log,
        title: ({ of, size }) => `${size} ${of}`,
        open: () => openServer(load, row),
        async measure(server) {
          const { raw, ours } = await alternate(server, calls, { windows: Math.ceil(windows / 2) });
          row.ratios.push(pairedRatio(ours.us, raw.us));
          row.us.push(median(ours.us));
          log(`${row.size} ${row.of}: ${row.ratios.at(-1).toFixed(3)}`);
        },
      });
    }
  }
  const endToEnd = rows.map(({ ratios, us, ...row }) => ({ ...row, ratio: spread(ratios), us: spread(us) }));
  return { inProcess, endToEnd };
}

const call = { label: "both", event: "sync1", inFlight: 1, active: 40 };
const calls = { raw: { ...call, namespace: "/bare" }, ours: { ...call, namespace: "/ours" } };

function openServer(load, { of, size }) {
  const options = {
    contestant: "side-by-side",
    events: events.slice(0, 1),
    only: ["/bare", "/ours"],
    rooms: of === "rooms" ? size : 0,
  };
  return serve(load, { both: options }, { connections: of === "connections" ? size : 40 });
}

/** The section of RESULTS.md. */
export const render = ({ inProcess, endToEnd }) => `## Growth

In process, one synchronous subscriber, by the method above: nanoseconds against how many events the socket has used, and how many
handlers are subscribed to other events.

${table(
  [
    ["", (row) => (row.contestant === "ours" ? "socket-ingress" : "socket.on")],
    ["", (row) => (row.events === undefined ? `${row.handlers} handlers` : `${row.events} events`)],
    ["ns", (row) => figures(row.ns)],
    ["x the first", (row) => ratio(row.ratios[0])],
  ],
  inProcess,
)}

End to end, in one server process for each row and round, with 40 connections calling while the others are idle, and with each socket in so many rooms.

${table(
  [
    ["", (row) => `${row.size} ${row.of}`],
    ["CPU per event, x raw", (row) => ratio(row.ratio)],
    ["ours, us", (row) => figures(row.us)],
  ],
  endToEnd,
)}
`;
