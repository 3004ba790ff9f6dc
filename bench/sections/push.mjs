/** What it costs to push through an audience, against a broadcast of Socket.IO's own; and what signals cost their clients. */
import { socketsPerUser } from "../contestants/push.mjs";
import { serve } from "../measure/measure.mjs";
import { start } from "../measure/processes.mjs";
import { onOneServer } from "../measure/rows.mjs";
import { median, pairedRatio, spread, turns } from "../measure/statistics.mjs";
import { figure, fixed, ratio, table, verdict } from "../measure/table.mjs";

export const name = "push";

const members = 1_000;
const signals = 50;
/** A few per cent count here, and a process differs from the next by one. */
const leastProcesses = 5;

/** A window has as many pushes as take some 50 ms. */
const audiences = {
  topic: { title: `a topic of ${members} sockets`, receivers: members, each: 6, target: 1.05 },
  history: {
    title: `a topic with history, in memory, of ${members} sockets`,
    receivers: members,
    each: 6,
    target: 1.05,
  },
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
    .filter(([audience]) => !quick || audience !== "user")
    .flatMap(([audience, about]) =>
      ["control", "ours"].map((way) => ({ audience, way, ...about, ratios: [], rawUs: [] })),
    );
  const groups = Object.keys(audiences)
    .map((audience) => ({ audience, of: rows.filter((row) => row.audience === audience) }))
    .filter(({ of }) => of.length > 0);
  for (let round = 0; round < (quick ? 1 : Math.max(leastProcesses, rounds)); round++) {
    await onOneServer(groups, {
      log,
      title: ({ audience }) => audiences[audience].title,
      open: () => openMembers(load),
      async measure(server, { audience, of }) {
        const us = await measurePushes(load, server, audience, quick ? 8 : windows);
        for (const row of of) {
          row.ratios.push(pairedRatio(us[row.way], us.raw));
          row.rawUs.push(median(us.raw));
          log(`${row.title}, ${row.way}: ${row.ratios.at(-1).toFixed(3)}`);
        }
      },
    });
  }
  const counted = quick ? [] : bursts.map((burst) => ({ ...burst, calls: [], stale: 0 }));
  for (let round = 0; round < (quick ? 0 : rounds); round++) {
    for (const clients of [50, 1]) {
      await onOneServer(
        counted.filter((burst) => burst.clients === clients),
        {
          log,
          title: (burst) => `${burst.kind} to ${clients}, ${burst.title}`,
          open: () => openRealClients(clients),
          measure: (server, burst) => countCalls(server, burst, log),
        },
      );
    }
  }
  return {
    pushes: rows.map(({ ratios, rawUs, ...row }) => ({ ...row, ratio: spread(ratios), rawUs: spread(rawUs) })),
    signals: counted.map(({ calls, ...burst }) => ({ ...burst, calls: { ...spread(calls), values: undefined } })),
  };
}

/** A server whose connections are members of the topic. */
async function openMembers(load) {
  const server = await serve(load, { it: { contestant: "push" } }, { connections: members });
  try {
    for (const topic of ["news", "kept"]) await load.ask("join", { group: server.group("it"), topic });
  } catch (error) {
    await server.stop();
    throw error;
  }
  return server;
}

/** Microseconds per delivered push of each window, by way. */
async function measurePushes(load, server, audience, windows) {
  const group = server.group("it");
  const { receivers, each } = audiences[audience];
  const push = async (way) => {
    await load.ask("expectPushes", { group, receivers, each });
    const from = await server.ask("cpu");
    await server.ask("control", { label: "it", way: `${audience} ${way}`, count: each });
    const pushes = await load.ask("arrived", { group });
    return ((await server.ask("cpu")) - from) / pushes;
  };
  const us = { raw: [], control: [], ours: [] };
  const warmUps = 6;
  let turn = -warmUps;
  for (const order of turns(Object.keys(us), warmUps + windows)) {
    for (const way of order) {
      const found = await push(way);
      if (turn >= 0) us[way].push(found);
    }
    turn++;
  }
  await server.check("it");
  return us;
}

/** A server with signals and so many real clients, in a process of their own that goes with it. */
async function openRealClients(clients) {
  const server = await serve(undefined, { it: { contestant: "signals" } }, { connections: 0 });
  const real = await start("load/clients.mjs");
  const stop = async () => {
    await real.stop();
    await server.stop();
  };
  try {
    await real.ask("open", { port: server.servers.it.port, count: clients });
  } catch (error) {
    await stop();
    throw error;
  }
  return { ...server, real, end: stop, stop };
}

/** A burst of signals to real clients: how often each of them called, and whether it has the last state. */
async function countCalls(server, burst, log) {
  const { kind, clients, spreadMs, workMs } = burst;
  const ask = () => server.ask("control", { label: "it", kind, count: signals, spreadMs, workMs });
  await ask(); // the first of its kind finds code that has not run before
  const { items, calls, tookMs } = await ask();
  const latest = await server.real.ask("latest");
  if (calls.length !== clients) throw new Error(`${calls.length} of ${clients} clients have called`);
  burst.stale += latest.filter((each) => each !== items).length;
  burst.calls.push(...calls);
  log(
    `${kind} to ${clients} ${burst.title} (took ${tookMs.toFixed(0)} ms): at most ${Math.max(...calls)} calls a client`,
  );
}

const ways = { control: "raw against raw: what the method can't tell apart", ours: "`realtime.emitSocket`" };

const controlOf = (pushes, { audience }) =>
  pushes.find((row) => row.audience === audience && row.way === "control").ratio.median;

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
    [
      "target",
      (row) => (row.way === "ours" ? verdict(row.ratio.median, { atMost: row.target }, controlOf(pushes, row)) : ""),
    ],
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
    ["calls a client, median", (row) => fixed(row.calls.median, 0)],
    ["least", (row) => fixed(row.calls.min, 0)],
    ["most", (row) => fixed(row.calls.max, 0)],
    ["clients without the last state", (row) => row.stale],
    ["target", (row) => verdict(row.calls.max, { atMost: 2 }, 1)],
  ],
  counted,
)}
`
}`;
