/** What a connection takes: heap while it is idle and after its events have been used, CPU to accept it, and 10,000 of them. */
import { serve } from "../measure.mjs";
import { shuffled, spread } from "../statistics.mjs";
import { figure, table } from "../table.mjs";
import { moreEvents } from "../workload.mjs";

export const name = "memory";

const contestants = {
  "Socket.IO, no events": "empty",
  "Socket.IO, closures": "raw",
  "Socket.IO, shared functions": "raw-shared",
  "socket-ingress": "ours",
  "a layer written naively": "naive",
  "NestJS 12": "nest",
  "socket-controllers 0.3.1": "socket-controllers",
  "zod-sockets 2.3": "zod-sockets",
  "Feathers 5": "feathers",
};
const eventCounts = [10, 50, 200];
/** Fewer for NestJS, which would need gigabytes. */
const connectionsOf = (contestant) => (contestant === "nest" ? 300 : 1_500);
const flags = ["--expose-gc", "--no-warnings"];
const many = 10_000;

async function measure(load, contestant, names) {
  const connections = connectionsOf(contestant);
  const server = await serve(
    load,
    { it: { contestant, events: [], more: names } },
    { connections: 0, execArgv: flags },
  );
  const { port, before } = server.servers.it;
  // the first connections and events make what all share
  await load.ask("open", { group: "warm-up", port, count: 100 });
  if (names.length > 0) await load.ask("once", { group: "warm-up", names, before });
  await load.ask("close", { group: "warm-up" });
  const bare = await server.ask("memory");
  const from = await server.ask("cpu");
  await load.ask("open", { group: "idle", port, count: connections, atOnce: 10 });
  const connectUs = ((await server.ask("cpu")) - from) / connections;
  const idle = await server.ask("memory");
  if (names.length > 0) await load.ask("once", { group: "idle", names, before });
  const used = await server.ask("memory");
  await load.ask("close", { group: "idle" });
  await server.stop();
  const perConnection = (memory) => (memory.heapUsed - bare.heapUsed) / connections;
  return { connectUs, idle: perConnection(idle), used: perConnection(used) };
}

/** What contestants do for a connection in their own listeners: two lots of a thousand, the second one counts. */
async function measureAttaching(load, which, names) {
  const server = await serve(load, { it: { contestant: "attaching", which, more: names } }, { connections: 0 });
  const lots = [];
  for (let lot = 0; lot < 2; lot++) {
    await load.ask("open", { group: "attaching", port: server.servers.it.port, count: 1_000, atOnce: 10 });
    lots.push(await server.ask("control", { label: "it" }));
    await load.ask("close", { group: "attaching" });
  }
  await server.stop();
  return lots[1];
}

async function measureMany(load, contestant, names) {
  const server = await serve(
    load,
    { it: { contestant, events: [], more: names } },
    { connections: 0, execArgv: flags },
  );
  const { port, before } = server.servers.it;
  const bare = await server.ask("memory");
  const from = await server.ask("cpu");
  await load.ask("open", { group: "many", port, count: many, atOnce: 100 });
  const connectUs = ((await server.ask("cpu")) - from) / many;
  const { replies } =
    names.length > 0 ? await load.ask("once", { group: "many", names: names.slice(0, 1), before }) : { replies: 0 };
  const { open, bad } = await load.ask("check", { group: "many" });
  const { heapUsed, rss } = await server.ask("memory");
  await load.ask("close", { group: "many" });
  await server.stop();
  return {
    connectUs,
    open,
    replies: replies - bad,
    heap: (heapUsed - bare.heapUsed) / many,
    rss: (rss - bare.rss) / many,
    rssMb: rss / 1e6,
  };
}

const spreads = (results) =>
  Object.fromEntries(Object.keys(results[0]).map((key) => [key, spread(results.map((result) => result[key]))]));

/** Three contestants with 10,000 connections each. */
async function heldConnections({ load, rounds, log }) {
  const held = Object.entries({
    empty: "Socket.IO, no events",
    raw: "Socket.IO, closures",
    ours: "socket-ingress",
  }).map(([contestant, title]) => ({ title, contestant, results: [] }));
  for (let round = 0; round < rounds; round++) {
    for (const entry of shuffled(held)) {
      entry.results.push(await measureMany(load, entry.contestant, entry.contestant === "empty" ? [] : moreEvents(50)));
      log(`${entry.title}, ${many} connections: ${entry.results.at(-1).rssMb.toFixed(0)} MB`);
    }
  }
  return held.map(({ results, ...entry }) => ({ ...entry, ...spreads(results) }));
}

/** Measures every contestant with every number of events, and three of them with 10,000 connections. */
export async function run({ load, rounds, log, part, previous }) {
  if (part === "many" && previous !== undefined)
    return { ...previous, many: await heldConnections({ load, rounds, log }) };
  const cases = Object.entries(contestants).flatMap(([title, contestant]) =>
    (contestant === "empty" ? [0] : contestant === "raw" ? [1, ...eventCounts] : eventCounts).map((events) => ({
      title,
      contestant,
      events,
      results: [],
    })),
  );
  const attaching = ["empty", "raw", "raw-shared", "ours"].flatMap((which) =>
    eventCounts.map((events) => ({ which, events, values: [] })),
  );
  for (let round = 0; round < rounds; round++) {
    for (const entry of shuffled(cases)) {
      entry.results.push(await measure(load, entry.contestant, moreEvents(entry.events)));
      log(`${entry.title}, ${entry.events} events: ${entry.results.at(-1).idle.toFixed(0)} bytes idle`);
    }
  }
  for (let round = 0; round < rounds; round++) {
    for (const entry of shuffled(attaching))
      entry.values.push(await measureAttaching(load, entry.which, moreEvents(entry.events)));
  }
  return {
    perConnection: cases.map(({ results, ...entry }) => ({ ...entry, ...spreads(results) })),
    attaching: attaching.map(({ values, ...entry }) => ({ ...entry, ns: spread(values) })),
    many: await heldConnections({ load, rounds, log }),
  };
}

/** The section of RESULTS.md. */
export function render({ perConnection, attaching, many: held }) {
  const empty = perConnection[0];
  const one = perConnection.find((row) => row.contestant === "raw" && row.events === 1);
  const raw = (events) => perConnection.find((row) => row.contestant === "raw" && row.events === events);
  const kb = (bytes) => `${(bytes / 1000).toFixed(2)} kB`;
  // what traffic by itself makes a connection take is not the listeners': a connection that has used its only event is the zero
  const above = (row, key) => row[key].median - (key === "used" ? one : empty)[key].median;
  const attach = (which, events) =>
    attaching.find((row) => row.which === which && row.events === events).ns.median -
    attaching.find((row) => row.which === "empty" && row.events === events).ns.median;
  const ours = perConnection.filter(({ contestant }) => contestant === "ours");
  const checks = ours.flatMap((row) => [
    {
      title: `${row.events} events, idle, above an empty connection`,
      value: kb(above(row, "idle")),
      target: "0.5 kB",
      kept: above(row, "idle") <= 500,
    },
    {
      title: `${row.events} events, all used once, of what raw takes`,
      value: (above(row, "used") / above(raw(row.events), "used")).toFixed(2),
      target: "0.5",
      kept: above(row, "used") <= 0.5 * above(raw(row.events), "used"),
    },
    {
      title: `${row.events} events, attaching a connection, of what raw takes`,
      value: (attach("ours", row.events) / attach("raw", row.events)).toFixed(2),
      target: "0.7",
      kept: attach("ours", row.events) <= 0.7 * attach("raw", row.events),
    },
  ]);
  const [bare, , mine] = held;
  const over = mine.heap.median - bare.heap.median;
  checks.push({ title: `${many} connections, heap above bare`, value: kb(over), target: "1 kB", kept: over <= 1000 });
  checks.push({
    title: `${many} connections, events lost`,
    value: many - mine.replies.min,
    target: "0",
    kept: mine.replies.min === many,
  });
  return `## What a connection takes

1,500 idle WebSocket connections (300 for NestJS) to a server process of its own; heap in use after four full collections, less what
it was before them (when 100 connections had come, used every event and gone), divided by their number. "Used": after each
connection has sent every event once, one after the other (in one burst ours keeps the
dispatchers of all of them: about 0.55 of raw). "Above empty": less what Socket.IO takes without any event (idle, ${kb(empty.idle.median)}) or for
a connection that has used its only event (used, ${kb(one.used.median)}). CPU per connection: \`process.cpuUsage()\` over accepting
them, ten at a time, upgrade and handshake included. "Attaching": the time spent in the contestant's own middleware and
\`connection\` listener, read before and after them on each connection (what reading it takes subtracted), second thousand.

${table(
  [
    ["per connection, above empty", (row) => row.title],
    ["events", (row) => row.events],
    ["idle", (row) => `${kb(above(row, "idle"))}`],
    ["used", (row) => `${kb(above(row, "used"))}`],
    [
      "CPU to accept, us",
      (row) => `${figure(row.connectUs.median)} (${figure(row.connectUs.min)}-${figure(row.connectUs.max)})`,
    ],
  ],
  perConnection,
)}

${table(
  [
    [
      "attaching a connection",
      (row) =>
        ({ raw: "Socket.IO, closures", "raw-shared": "Socket.IO, shared functions", ours: "socket-ingress" })[
          row.which
        ],
    ],
    ["events", (row) => row.events],
    ["us", (row) => figure(attach(row.which, row.events) / 1000)],
  ],
  attaching.filter(({ which }) => which !== "empty"),
)}

${many} connections to one process, 50 events registered, one acknowledged event sent by each:

${table(
  [
    ["", (row) => row.title],
    ["still open", (row) => row.open.min],
    ["answered", (row) => row.replies.min],
    ["heap per connection", (row) => kb(row.heap.median)],
    ["resident per connection", (row) => kb(row.rss.median)],
    ["resident, MB", (row) => row.rssMb.median.toFixed(0)],
    ["CPU to accept, us", (row) => figure(row.connectUs.median)],
  ],
  held,
)}

${table(
  [
    ["socket-ingress", (row) => row.title],
    ["measured", (row) => row.value],
    ["at most", (row) => `${row.target} ${row.kept ? "kept" : "**missed**"}`],
  ],
  checks,
)}
`;
}
