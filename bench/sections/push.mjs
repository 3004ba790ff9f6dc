/** What it costs to push through an audience, against a broadcast of Socket.IO's own; and what signals cost their clients. */
import { socketsPerUser } from "../contestants/push.mjs";
import { serve } from "../measure/measure.mjs";
import { start } from "../measure/processes.mjs";
import { median, pairedRatio, spread, turns } from "../measure/statistics.mjs";
import { figure, ratio, table, verdict } from "../measure/table.mjs";

export const name = "push";

const members = 1_000;
const signals = 50;
/** A few per cent count here, and a process differs from the next by one. */
const leastProcesses = 5;

/** A window has as many pushes as take some 50 ms. */
const audiences = {
  topic: { title: `a topic of ${members} sockets`, receivers: members, each: 6, target: 1.05 },
  user: { title: `a user of ${socketsPerUser} sockets`, receivers: socketsPerUser, each: 500 },
};

/** With one client the server has time for answers between the signals; with many, those come late and spare calls. */
const bursts = ["emitSocket", "emitSocketRefetch"].flatMap((kind) =>
  [50, 1].flatMap((clients) =>
    [
      { title: "in one turn", spreadMs: 0, workMs: 0 },
      { title: "over 20 ms, the action takes 20 ms", spreadMs: 20, workMs: 20 },
      { title: "over 20 ms, the action answers at once", spreadMs: 20, workMs: 0 },
    ].map((burst) => ({ kind, clients, ...burst })),
  ),
);

/** Measures pushes in turns, and counts what signals cause. */
export async function run({ load, rounds, windows, quick, log }) {
  const rows = Object.entries(audiences)
    .filter(([audience]) => !quick || audience === "topic")
    .flatMap(([audience, about]) =>
      ["control", "ours"].map((way) => ({ audience, way, ...about, ratios: [], rawUs: [] })),
    );
  for (let round = 0; round < (quick ? 1 : Math.max(leastProcesses, rounds)); round++) {
    const measured = await measurePushes(load, rows, quick ? 8 : windows);
    for (const row of rows) {
      const { raw, [row.way]: own } = measured[row.audience];
      row.ratios.push(pairedRatio(own, raw));
      row.rawUs.push(median(raw));
      log(`${row.title}, ${row.way}: ${row.ratios.at(-1).toFixed(3)}`);
    }
  }
  const counted = bursts.map((burst) => ({ ...burst, calls: [], stale: 0 }));
  for (let round = 0; round < (quick ? 0 : rounds); round++)
    for (const clients of [50, 1])
      await countCalls(
        counted.filter((burst) => burst.clients === clients),
        clients,
        log,
      );
  return {
    pushes: rows.map(({ ratios, rawUs, ...row }) => ({ ...row, ratio: spread(ratios), rawUs: spread(rawUs) })),
    signals: counted
      .filter(({ calls }) => calls.length > 0)
      .map(({ calls, ...burst }) => ({ ...burst, calls: { ...spread(calls), values: undefined } })),
  };
}

/** Microseconds per delivered push of each window, by audience and way. */
async function measurePushes(load, rows, windows) {
  const server = await serve(load, { it: { contestant: "push" } }, { connections: members });
  const group = server.group("it");
  await load.ask("join", { group, topic: "news" });
  const push = async (audience, way) => {
    const { receivers, each } = audiences[audience];
    await load.ask("expectPushes", { group, receivers, each });
    const from = await server.ask("cpu");
    await server.ask("control", { label: "it", way: `${audience} ${way}`, count: each });
    const pushes = await load.ask("arrived", { group });
    return ((await server.ask("cpu")) - from) / pushes;
  };
  const warmUps = 6;
  const us = {};
  for (const audience of new Set(rows.map((row) => row.audience))) {
    us[audience] = { raw: [], control: [], ours: [] };
    let turn = -warmUps;
    for (const order of turns(Object.keys(us[audience]), warmUps + windows)) {
      for (const way of order) {
        const found = await push(audience, way);
        if (turn >= 0) us[audience][way].push(found);
      }
      turn++;
    }
  }
  await server.end();
  return us;
}

/** Bursts of signals to real clients: how often each of them called, and whether it has the last state. */
async function countCalls(counted, clients, log) {
  const server = await serve(undefined, { it: { contestant: "signals" } }, { connections: 0 });
  const real = await start("load/clients.mjs");
  await real.ask("open", { port: server.servers.it.port, count: clients });
  for (const burst of counted) {
    const { kind, spreadMs, workMs } = burst;
    const ask = () => server.ask("control", { label: "it", kind, count: signals, spreadMs, workMs });
    await ask(); // the first of its kind finds code that has not run before
    const { items, calls, tookMs } = await ask();
    const latest = await real.ask("latest");
    if (calls.length !== clients) throw new Error(`${calls.length} of ${clients} clients have called`);
    burst.stale += latest.filter((each) => each !== items).length;
    burst.calls.push(...calls);
    log(
      `${kind} to ${clients} ${burst.title} (took ${tookMs.toFixed(0)} ms): at most ${Math.max(...calls)} calls a client`,
    );
  }
  await real.stop();
  await server.stop();
}

const ways = { control: "raw against raw: what the method can't tell apart", ours: "`realtime.emitSocket`" };

/** The section of RESULTS.md. */
export const render = ({ pushes, signals: counted }) => `## Push

Server CPU time per push that a client has received, as a ratio to \`io.to(room).emit\` of Socket.IO alone: one server process,
one namespace, the same ${members} connections. Each joined the topic with an \`ingress:join\` of the protocol; the topic's policy put
its socket into raw's room and the control's, so all rooms hold the same sockets in the same order. A window has ${audiences.topic.each} pushes
(${audiences.user.each} where only ${socketsPerUser} sockets get them), each in a turn of its own, and ends when the load client has counted them all, each where
it should be; windows take turns and are compared as above. Median of ${pushes[0].ratio.values.length} server processes, least and greatest.

${table(
  [
    ["CPU per delivered push, x raw", (row) => `${row.title}: ${ways[row.way]}`],
    ["ratio", (row) => ratio(row.ratio, 3)],
    ["raw, us", (row) => figure(row.rawUs.median)],
    ["target", (row) => (row.way === "ours" ? verdict(row.ratio.median, row.target) : "")],
  ],
  pushes,
)}
${
  counted.length === 0
    ? ""
    : `
${signals} signals to clients (socket.io-client with \`createClient\`, \`refetchOnSocket("items_changed", "get_items", ...)\`): how often
the server was called by each of them, over all clients and rounds.

${table(
  [
    [`${signals} signals`, (row) => `\`${row.kind}\`, ${row.title}`],
    ["clients", (row) => row.clients],
    ["calls a client, median", (row) => row.calls.median],
    ["least", (row) => row.calls.min],
    ["most", (row) => row.calls.max],
    ["clients without the last state", (row) => row.stale],
    ["target", (row) => verdict(row.calls.max, 2)],
  ],
  counted,
)}
`
}`;
