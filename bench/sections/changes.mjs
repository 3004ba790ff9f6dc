/** What it costs to publish a change of a record, against a broadcast of it by Socket.IO; and what a source costs its routes. */
import { serve } from "../measure/measure.mjs";
import { start } from "../measure/processes.mjs";
import { onOneServer } from "../measure/rows.mjs";
import { median, pairedRatio, spread, turns } from "../measure/statistics.mjs";
import { figure, ratio, table, verdict } from "../measure/table.mjs";

export const name = "changes";

const subscribers = 100;
const httpConnections = 20;
/** A few per cent count here, and a process differs from the next by one. */
const leastProcesses = 5;

const kinds = {
  publish: {
    title: `a change to ${subscribers} subscribers`,
    each: 60,
    target: 1.15,
    ways: ["raw", "control", "ours"],
  },
  request: {
    title: "a request that creates a record, with `expressChanges`",
    each: 15,
    target: 1.05,
    ways: ["raw", "control", "byHand", "ours"],
  },
};

/** Measures both in turns, in as many processes as there are rounds, five at least. */
export async function run({ load, rounds, windows, quick, log }) {
  const rows = Object.entries(kinds).flatMap(([kind, about]) =>
    about.ways.slice(1).map((way) => ({ kind, way, ...about, ratios: [], rawUs: [] })),
  );
  for (let round = 0; round < (quick ? 1 : Math.max(leastProcesses, rounds)); round++) {
    await onOneServer(Object.keys(kinds), {
      log,
      title: (kind) => kinds[kind].title,
      open: () => open(load),
      async measure(server, kind) {
        const us = await measureWindows(server, kinds[kind].ways, windowOf(load, server, kind), quick ? 8 : windows);
        for (const row of rows.filter((each) => each.kind === kind)) {
          row.ratios.push(pairedRatio(us[row.way], us.raw));
          row.rawUs.push(median(us.raw));
          log(`${row.title}, ${row.way}: ${row.ratios.at(-1).toFixed(3)}`);
        }
      },
    });
  }
  return rows.map(({ ratios, rawUs, ...row }) => ({ ...row, ratio: spread(ratios), rawUs: spread(rawUs) }));
}

/** A server whose connections are members of the model's topic, and a client of its routes that goes with it. */
async function open(load) {
  const server = await serve(load, { it: { contestant: "changes" } }, { connections: subscribers });
  const client = await start("load/requests.mjs");
  const stop = async () => {
    await client.stop();
    await server.stop();
  };
  try {
    await load.ask("join", { group: server.group("it"), topic: "post" });
    await client.ask("open", { port: server.servers.it.port, connections: httpConnections });
  } catch (error) {
    await stop();
    throw error;
  }
  return { ...server, client, end: stop, stop };
}

/** A window of one kind: resolves to how many pushes or requests there were. */
function windowOf(load, server, kind) {
  const { each } = kinds[kind];
  if (kind === "request") return (way) => server.client.ask("requests", { path: `/${way}`, each });
  const group = server.group("it");
  return async (way) => {
    await load.ask("expectPushes", { group, receivers: subscribers, each });
    await server.ask("control", { label: "it", way, count: each });
    return load.ask("arrived", { group });
  };
}

/** Microseconds of the server's CPU for each push or request of each window, by way. */
async function measureWindows(server, ways, work, windows) {
  const us = Object.fromEntries(ways.map((way) => [way, []]));
  const warmUps = 6;
  let turn = -warmUps;
  for (const order of turns(ways, warmUps + windows)) {
    for (const way of order) {
      const from = await server.ask("cpu");
      const done = await work(way);
      const found = ((await server.ask("cpu")) - from) / done;
      if (turn >= 0) us[way].push(found);
    }
    turn++;
  }
  await server.check("it");
  return us;
}

const controlOf = (rows, { kind }) => rows.find((row) => row.kind === kind && row.way === "control").ratio.median;

const titles = {
  control: "raw against raw: what the method can't tell apart",
  byHand: "the answer caught and broadcast by hand, without a history",
  ours: "ours",
};

/** The section of RESULTS.md. */
export const render = (rows) => `## Changes

Server CPU time per change that a client has received, as a ratio to \`io.to(room).emit\` of the same object by Socket.IO alone, and per request to a
route of Express that reads JSON, inserts a row into SQLite in memory by Kysely and answers with it, as a ratio to the same route without a source: one server process, ${subscribers} connections that joined the model's topic (and none
the topic of the model that the route writes), ${httpConnections} HTTP connections that stay open. Windows of ${kinds.publish.each} pushes, each in a turn of its
own, or of ${kinds.request.each * httpConnections} requests take turns and are compared as above. Median of ${rows[0].ratio.values.length} server processes, least and
greatest.

${table(
  [
    ["CPU, x raw", (row) => `${row.title}: ${titles[row.way]}`],
    ["ratio", (row) => ratio(row.ratio, 3)],
    ["raw, us", (row) => figure(row.rawUs.median)],
    [
      "target",
      (row) => (row.way === "ours" ? verdict(row.ratio.median, { atMost: row.target }, controlOf(rows, row)) : ""),
    ],
  ],
  rows,
)}
`;
