/** What a connection takes: heap while it is idle and after its events have been used, CPU to accept it, and 10,000 of them. */
import { withServer } from "../measure/measure.mjs";
import { attempt } from "../measure/rows.mjs";
import { median, shuffled, spread } from "../measure/statistics.mjs";
import { figure, figures, fixed, ratio, table } from "../measure/table.mjs";
import { moreEvents } from "../load/workload.mjs";

export const name = "memory";

const contestants = {
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
/** Those whose figures are a few hundred bytes: they get more connections. */
const exact = new Set(["raw", "raw-shared", "ours"]);
/**
 * How many connections, by the number of events. What tables grow by when they are full is divided by it, so small figures need
 * many; NestJS would need gigabytes.
 */
const connectionsOf = (contestant, events) => {
  if (contestant === "nest") return 300;
  return (exact.has(contestant) ? { 10: 3_000, 50: 2_000, 200: 1_000 } : { 10: 1_000, 50: 500, 200: 300 })[events];
};
// code that is thrown away while it is not used would be counted as memory of connections that have gone
const flags = ["--expose-gc", "--no-flush-bytecode", "--no-warnings"];
const many = 10_000;

const unconnected = { connections: 0, execArgv: flags };

function measure(load, { contestant, events, connections }) {
  const names = moreEvents(events);
  return withServer(load, { it: { contestant, events: [], more: names } }, unconnected, async (server) => {
    const { port, before } = server.servers.it;
    // as many as will be measured have been there and gone: what all share is made, and tables have the size they will have
    await load.ask("open", { group: "warm-up", port, count: connections, atOnce: 10 });
    if (events > 0) await load.ask("once", { group: "warm-up", names, before, active: 100 });
    await load.ask("close", { group: "warm-up" });
    const bare = await server.ask("memory");
    const from = await server.ask("cpu");
    await load.ask("open", { group: "idle", port, count: connections, atOnce: 10 });
    const connectUs = ((await server.ask("cpu")) - from) / connections;
    const idle = await server.ask("memory");
    if (events > 0) await load.ask("once", { group: "idle", names, before });
    const used = await server.ask("memory");
    await load.ask("close", { group: "idle" });
    const perConnection = (memory) => (memory.heapUsed - bare.heapUsed) / connections;
    return { connectUs, idle: perConnection(idle), used: perConnection(used) };
  });
}
const notMeasured = { connectUs: NaN, idle: NaN, used: NaN };

/**
 * What contestants do for a connection in their own listeners: five lots of a thousand, the median of the last three counts. Before that
 * the code is not compiled, and how long that lasts depends on how often each line of it runs for a connection, not on what it does.
 */
function measureAttaching(load, which, names) {
  const contestants = { it: { contestant: "attaching", which, more: names } };
  return withServer(load, contestants, { connections: 0 }, async (server) => {
    const lots = [];
    for (let lot = 0; lot < 5; lot++) {
      await load.ask("open", { group: "attaching", port: server.servers.it.port, count: 1_000, atOnce: 10 });
      lots.push(await server.ask("control", { label: "it" }));
      await load.ask("close", { group: "attaching" });
    }
    return median(lots.slice(2));
  });
}

async function measureAllAttaching(load, rounds, log) {
  const attaching = ["empty", "raw", "raw-shared", "ours"].flatMap((which) =>
    eventCounts.map((events) => ({ which, events, values: [] })),
  );
  for (let round = 0; round < rounds; round++) {
    for (const { which, events, values } of shuffled(attaching)) {
      const title = `attaching ${which}, ${events} events`;
      values.push((await attempt(title, log, () => measureAttaching(load, which, moreEvents(events)))) ?? NaN);
    }
  }
  return attachingAbove(attaching);
}

function measureMany(load, contestant, names) {
  return withServer(load, { it: { contestant, events: [], more: names } }, unconnected, async (server) => {
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
    return {
      connectUs,
      open,
      replies: replies - bad,
      heap: (heapUsed - bare.heapUsed) / many,
      rss: (rss - bare.rss) / many,
      rssMb: rss / 1e6,
    };
  });
}
const manyNotMeasured = { connectUs: NaN, open: NaN, replies: NaN, heap: NaN, rss: NaN, rssMb: NaN };

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
      const title = `${entry.title}, ${many} connections`;
      const names = entry.contestant === "empty" ? [] : moreEvents(50);
      const measured = await attempt(title, log, () => measureMany(load, entry.contestant, names));
      entry.results.push(measured ?? manyNotMeasured);
      log(`${title}: ${fixed(entry.results.at(-1).rssMb, 0)} MB`);
    }
  }
  return held.map(({ results, ...entry }) => ({ ...entry, ...spreads(results) }));
}

/** What connections take above the zeros of the same round: an empty one while idle, and one that has used its only event. */
function aboveZero(measured) {
  const zero = (contestant, connections) =>
    measured.find(
      (entry) => entry.title === undefined && entry.contestant === contestant && entry.connections === connections,
    ).results;
  const rows = measured.filter(({ title }) => title !== undefined);
  const used = ({ results, connections }) => results.map((each, at) => each.used - zero("raw", connections)[at].used);
  return {
    zeros: measured
      .filter(({ title }) => title === undefined)
      .map(({ results, ...entry }) => ({ ...entry, ...spreads(results) })),
    perConnection: rows.map((row) => {
      const { results, ...entry } = row;
      const raw = rows.find(({ contestant, events }) => contestant === "raw" && events === row.events);
      return {
        ...entry,
        idle: spread(results.map((each, at) => each.idle - zero("empty", row.connections)[at].idle)),
        used: spread(used(row)),
        usedOfRaw: spread(used(row).map((each, at) => each / used(raw)[at])),
        connectUs: spread(results.map(({ connectUs }) => connectUs)),
      };
    }),
  };
}

/** What attaching takes above what telling the time takes, in each round. */
function attachingAbove(attaching) {
  const above = ({ values, events }) => {
    const empty = attaching.find((entry) => entry.which === "empty" && entry.events === events);
    return values.map((each, at) => each - empty.values[at]);
  };
  return attaching
    .filter(({ which }) => which !== "empty")
    .map((entry) => {
      const raw = attaching.find(({ which, events }) => which === "raw" && events === entry.events);
      const ofRaw = above(entry).map((each, at) => each / above(raw)[at]);
      return { which: entry.which, events: entry.events, ns: spread(above(entry)), ofRaw: spread(ofRaw) };
    });
}

/** Measures every contestant with every number of events, and three of them with 10,000 connections. */
export async function run({ load, rounds, log, part, previous }) {
  if (part === "many" && previous !== undefined)
    return { ...previous, many: await heldConnections({ load, rounds, log }) };
  if (part === "attaching" && previous !== undefined)
    return { ...previous, attaching: await measureAllAttaching(load, rounds, log) };
  const cases = Object.entries(contestants).flatMap(([title, contestant]) =>
    eventCounts.map((events) => ({ title, contestant, events, connections: connectionsOf(contestant, events) })),
  );
  // the zeros, with as many connections as each of those that are compared with them
  const zeros = [...new Set(cases.map(({ connections }) => connections))].flatMap((connections) => [
    { contestant: "empty", events: 0, connections },
    { contestant: "raw", events: 1, connections },
  ]);
  const measured = [...zeros, ...cases].map((entry) => ({ ...entry, results: [] }));
  for (let round = 0; round < rounds; round++) {
    for (const entry of shuffled(measured)) {
      const title = `${entry.contestant}, ${entry.events} events`;
      const measured = (await attempt(title, log, () => measure(load, entry))) ?? notMeasured;
      entry.results.push(measured);
      log(`${title}: ${fixed(measured.idle, 0)} bytes idle, ${fixed(measured.used, 0)} used`);
    }
  }
  return {
    ...aboveZero(measured),
    attaching: await measureAllAttaching(load, rounds, log),
    many: await heldConnections({ load, rounds, log }),
  };
}

/** The section of RESULTS.md. */
export function render({ zeros, perConnection, attaching, many: held }) {
  const kb = (bytes) => (Number.isFinite(bytes) ? `${fixed(bytes / 1000, 2)} kB` : fixed(bytes));
  const kbs = ({ median, min, max }) =>
    Number.isFinite(median) ? `${kb(median)} (${fixed(min / 1000, 2)}-${fixed(max / 1000, 2)})` : kb(median);
  const [largest] = zeros.toSorted((a, b) => b.connections - a.connections);
  const zero = (contestant, key) =>
    kb(zeros.find((row) => row.contestant === contestant && row.connections === largest.connections)[key].median);
  const ours = perConnection.filter(({ contestant }) => contestant === "ours");
  const checks = ours.flatMap(({ events, idle, usedOfRaw }) => {
    const { ofRaw } = attaching.find((row) => row.which === "ours" && row.events === events);
    return [
      {
        title: `${events} events, idle, above an empty connection`,
        text: kbs(idle),
        is: idle.median,
        atMost: 500,
        target: "0.5 kB",
      },
      {
        title: `${events} events, all used once, of what raw takes`,
        text: ratio(usedOfRaw),
        is: usedOfRaw.median,
        atMost: 0.5,
      },
      {
        title: `${events} events, attaching a connection, of what raw takes`,
        text: ratio(ofRaw),
        is: ofRaw.median,
        atMost: 0.7,
      },
    ];
  });
  const [bare, , mine] = held;
  const over = mine.heap.median - bare.heap.median;
  const lost = many - mine.replies.min;
  checks.push(
    { title: `${many} connections, heap above bare`, text: kb(over), is: over, atMost: 1000, target: "1 kB" },
    { title: `${many} connections, events lost`, text: fixed(lost, 0), is: lost, atMost: 0 },
  );
  return `## What a connection takes

Idle WebSocket connections to a server process of its own, as many as the table says: heap in use after full collections (until two in
a row leave the same), less what it was before them, divided by their number. Before that, as many have come and gone again, and a
hundred of them have used every event. "Used": after each connection has sent every event once, one after the other. "Above empty": less what as many connections take in the
same round without any event (idle, ${zero("empty", "idle")}), or having used their only event (used, ${zero("raw", "used")}).
CPU per connection: \`process.cpuUsage()\` over accepting them, ten at a time, upgrade and handshake included. "Attaching": the
time spent in the contestant's own middleware and \`connection\` listener, read before and after them on each connection (what
reading it takes subtracted), third to fifth thousand. Median of ${perConnection[0].idle.values.length} rounds, least and greatest.

${table(
  [
    ["per connection, above empty", (row) => row.title],
    ["events", (row) => row.events],
    ["connections", (row) => row.connections],
    ["idle", (row) => kbs(row.idle)],
    ["used", (row) => kbs(row.used)],
    ["CPU to accept, us", (row) => figures(row.connectUs)],
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
    ["us", (row) => figures(row.ns, 1000)],
    ["x closures", (row) => ratio(row.ofRaw)],
  ],
  attaching,
)}

${many} connections to one process, 50 events registered, one acknowledged event sent by each:

${table(
  [
    ["", (row) => row.title],
    ["still open", (row) => fixed(row.open.min, 0)],
    ["answered", (row) => fixed(row.replies.min, 0)],
    ["heap per connection", (row) => kb(row.heap.median)],
    ["resident per connection", (row) => kb(row.rss.median)],
    ["resident, MB", (row) => fixed(row.rssMb.median, 0)],
    ["CPU to accept, us", (row) => figure(row.connectUs.median)],
  ],
  held,
)}

${table(
  [
    ["socket-ingress", (row) => row.title],
    ["measured", (row) => row.text],
    [
      "at most",
      ({ is, atMost, target = atMost }) =>
        Number.isFinite(is) ? `${target} ${is <= atMost ? "kept" : "**missed**"}` : "",
    ],
  ],
  checks,
)}
`;
}
