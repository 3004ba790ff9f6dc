/** Plain clients: what a push to event streams and WebSockets costs, what a reader that stops costs, and what is left of a thousand. */
import { serve } from "../measure/measure.mjs";
import { start } from "../measure/processes.mjs";
import { attempt } from "../measure/rows.mjs";
import { median, pairedRatio, spread, turns } from "../measure/statistics.mjs";
import { figure, fixed, ratio, table, verdict } from "../measure/table.mjs";

export const name = "plain";

const clients = 100;
/** A window has as many pushes as take some 50 ms. */
const each = 40;
/** A reader that stops is pushed as much as no system keeps for it: 20 kB each. */
const largePushes = 1_000;

const kinds = {
  control: { title: "Socket.IO against Socket.IO: what the method can't tell apart" },
  sse: { title: "event streams", target: 0.7 },
  ws: { title: "WebSockets without Socket.IO" },
};
const histories = { now: "a topic", kept: "a topic with history, in memory" };
/** How many pushes there are in a turn: one, where a system call for each client is most of all, and a burst. */
const bursts = [1, 10];

/** Measures pushes in turns, then the reader that stops, then a thousand streams. */
export async function run({ load, rounds, windows, quick, log }) {
  const rows = Object.keys(histories).flatMap((history) =>
    bursts.flatMap((inTurn) =>
      Object.entries(kinds).map(([kind, about]) => ({ history, inTurn, kind, ...about, ratios: [], rawUs: [] })),
    ),
  );
  const stopped = [];
  const left = [];
  for (let round = 0; round < (quick ? 1 : Math.max(5, rounds)); round++) {
    await attempt("plain clients", log, () =>
      withClients(load, async (opened) => {
        for (const history of Object.keys(histories)) {
          for (const inTurn of bursts) {
            const us = await measurePushes(load, opened, { history, inTurn }, quick ? 8 : windows);
            for (const row of rows.filter((one) => one.history === history && one.inTurn === inTurn)) {
              row.ratios.push(pairedRatio(us[row.kind], us.raw));
              row.rawUs.push(median(us.raw));
              log(`${histories[history]}, ${inTurn} in a turn, ${row.kind}: ${row.ratios.at(-1).toFixed(3)}`);
            }
          }
        }
      }),
    );
    await attempt("a reader that stops", log, async () => stopped.push(await measureStopped()));
    await attempt("a thousand streams", log, async () => left.push(await measureLeft()));
  }
  return {
    pushes: rows.map(({ ratios, rawUs, ...row }) => ({ ...row, ratio: spread(ratios), rawUs: spread(rawUs) })),
    kept: spread(stopped.map(({ kept }) => kept)),
    others: spread(stopped.map(({ others }) => others)),
    left: spread(left.map(({ sockets, rooms }) => sockets + rooms)),
  };
}

/** A server with so many clients of each kind: Socket.IO's by the load client, plain ones in a process of their own. */
async function withClients(load, use) {
  const server = await serve(load, { it: { contestant: "plain" } }, { connections: clients });
  const plain = await start("load/streams.mjs");
  try {
    const { port } = server.servers.it;
    for (const history of Object.keys(histories)) {
      await load.ask("join", { group: server.group("it"), topic: `socketio/${history}` });
      for (const kind of ["sse", "ws"]) {
        const topic = `topic=${kind}/${history}`;
        await plain.ask("open", { group: `${kind}/${history}`, kind, port, topic, count: clients });
      }
    }
    await use({ server, plain });
  } finally {
    await plain.stop();
    await server.stop();
  }
}

/** Microseconds per delivered push of each window, by kind. */
async function measurePushes(load, { server, plain }, { history, inTurn }, windows) {
  const group = server.group("it");
  const bySocketIo = async () => {
    await load.ask("expectPushes", { group, receivers: clients, each });
    const from = await server.ask("cpu");
    await server.ask("control", { label: "it", topic: `socketio/${history}`, count: each, inTurn });
    const pushes = await load.ask("arrived", { group });
    return ((await server.ask("cpu")) - from) / pushes;
  };
  const byPlain = async (kind) => {
    await plain.ask("expect", { group: `${kind}/${history}`, each });
    const from = await server.ask("cpu");
    await server.ask("control", { label: "it", topic: `${kind}/${history}`, count: each, inTurn });
    const pushes = await plain.ask("arrived");
    return ((await server.ask("cpu")) - from) / pushes;
  };
  const ways = { raw: bySocketIo, control: bySocketIo, sse: () => byPlain("sse"), ws: () => byPlain("ws") };
  const us = { raw: [], control: [], sse: [], ws: [] };
  const warmUps = 6;
  let turn = -warmUps;
  for (const order of turns(Object.keys(us), warmUps + windows)) {
    for (const way of order) {
      const found = await ways[way]();
      if (turn >= 0) us[way].push(found);
    }
    turn++;
  }
  return us;
}

/** What is kept at most for one of a hundred streams that stops reading, and what the others cost with it, x without it. */
async function measureStopped() {
  const server = await serve(undefined, { it: { contestant: "plain" } }, { connections: 0 });
  const plain = await start("load/streams.mjs");
  try {
    const group = "sse";
    await plain.ask("open", {
      group,
      kind: "sse",
      port: server.servers.it.port,
      topic: "topic=sse/now",
      count: clients,
    });
    const push = async (without) => {
      await plain.ask("expect", { group, each: largePushes, without });
      const from = await server.ask("cpu");
      const { kept } = await server.ask("control", { label: "it", topic: "sse/now", count: largePushes, large: true });
      const pushes = await plain.ask("arrived");
      return { kept, us: ((await server.ask("cpu")) - from) / pushes };
    };
    await push(0);
    const before = await push(0);
    await plain.ask("stop", { group });
    const { kept, us } = await push(1);
    return { kept, others: us / before.us };
  } finally {
    await plain.stop();
    await server.stop();
  }
}

/** How many sockets and rooms a thousand streams leave that were opened and cut. */
async function measureLeft() {
  const server = await serve(undefined, { it: { contestant: "plain" } }, { connections: 0 });
  const plain = await start("load/streams.mjs");
  const { port } = server.servers.it;
  try {
    await plain.ask("open", { group: "many", kind: "sse", port, topic: "topic=sse/now&topic=sse/kept", count: 1_000 });
    await plain.ask("close", { group: "many" });
    let left;
    for (let i = 0; i < 100; i++) {
      left = await server.ask("control", { label: "it" });
      if (left.sockets + left.rooms === 0) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return left;
  } finally {
    await plain.stop();
    await server.stop();
  }
}

const controlOf = (pushes, { history, inTurn }) =>
  pushes.find((row) => row.history === history && row.inTurn === inTurn && row.kind === "control").ratio.median;

/** The section of RESULTS.md. */
export const render = ({ pushes, kept, others, left }) => `## Plain clients

Server CPU time per push that a client has received, as a ratio to the same \`realtime.emitSocket\` to ${clients} clients of Socket.IO: one server
process with ${clients} clients of each kind, each kind in topics of its own. A window has ${each} pushes, one or ten in a turn, and ends when all have been
counted. What is told to a plain client in one turn is one write; one push in a turn is a system call for each client, whatever it speaks. Median of ${pushes[0].ratio.values.length} server processes, least and greatest.

${table(
  [
    ["CPU per delivered push, x Socket.IO", (row) => `${histories[row.history]}: ${row.title}`],
    ["in a turn", (row) => row.inTurn],
    ["ratio", (row) => ratio(row.ratio, 3)],
    ["Socket.IO, us", (row) => figure(row.rawUs.median)],
    ["target", (row) => (row.target ? verdict(row.ratio.median, { atMost: row.target }, controlOf(pushes, row)) : "")],
  ],
  pushes,
)}

One of ${clients} streams stops reading and is sent ${largePushes} pushes of 20 kB, with \`maxBufferedBytes\` of 1 MB; and 1,000 streams are opened and cut.

${table(
  [
    ["", (row) => row[0]],
    ["", (row) => row[1]],
    ["target", (row) => row[2]],
  ],
  [
    [
      "kept at most for the one that stopped, bytes",
      fixed(kept.median, 0),
      verdict(kept.median, { atMost: 1_000_000 }, 1),
    ],
    ["a push to the others, x before it stopped", ratio(others), verdict(others.median, { atMost: 1.1 }, 1)],
    ["sockets and rooms that 1,000 streams leave", fixed(left.median, 0), verdict(left.median, { atMost: 0 }, 1)],
  ],
)}
`;
