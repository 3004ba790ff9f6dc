/** What it costs to send a notification, against a push of Socket.IO's own; and what a page takes where many are unread. */
import { serve } from "../measure/measure.mjs";
import { start } from "../measure/processes.mjs";
import { attempt, onOneServer } from "../measure/rows.mjs";
import { median, pairedRatio, spread, turns } from "../measure/statistics.mjs";
import { figure, figures, ratio, table, verdict } from "../measure/table.mjs";

export const name = "notifications";

const sockets = 100;
/** A few per cent count here, and a process differs from the next by one. */
const leastProcesses = 5;

const kinds = {
  plain: { title: "without a fallback, x `emit`", each: 20, target: 1.3 },
  asked: { title: "with a fallback, x `emitWithAck`", each: 20, target: 1.3 },
};

/** Measures sends in turns, and pages. */
export async function run({ load, rounds, windows, quick, log }) {
  const rows = Object.entries(kinds).flatMap(([kind, about]) =>
    ["control", "ours"].map((way) => ({ kind, way, ...about, ratios: [], rawUs: [] })),
  );
  const groups = Object.keys(kinds).map((kind) => ({ kind, of: rows.filter((row) => row.kind === kind) }));
  for (let round = 0; round < (quick ? 1 : Math.max(leastProcesses, rounds)); round++) {
    await onOneServer(groups, {
      log,
      title: ({ kind }) => kinds[kind].title,
      open: () => serve(load, { it: { contestant: "notifications" } }, { connections: sockets }),
      async measure(server, { kind, of }) {
        const us = await measureSends(load, server, kind, quick ? 8 : windows);
        for (const row of of) {
          row.ratios.push(pairedRatio(us[row.way], us.raw));
          row.rawUs.push(median(us.raw));
          log(`${row.title}, ${row.way}: ${row.ratios.at(-1).toFixed(3)}`);
        }
      },
    });
  }
  const pages = { memory: [], sqlite: [] };
  for (let round = 0; round < rounds; round++) {
    for (const kind of Object.keys(pages)) {
      const measured = await attempt(`pages in ${kind}`, log, async () => {
        const child = await start("measure/notifications.mjs", [], ["--no-warnings"]);
        try {
          return await child.ask("pages", { kind });
        } finally {
          await child.stop();
        }
      });
      if (measured !== undefined) pages[kind].push(measured);
    }
    log(`pages, round ${round + 1}`);
  }
  return {
    sends: rows.map(({ ratios, rawUs, ...row }) => ({ ...row, ratio: spread(ratios), rawUs: spread(rawUs) })),
    pages: Object.entries(pages).map(([kind, found]) => ({
      kind,
      few: spread(found.map(({ few }) => few)),
      ratio: spread(found.map(({ few, many }) => many / few)),
    })),
  };
}

/** Microseconds of the server's CPU for each that is sent, of each window, by way. */
async function measureSends(load, server, kind, windows) {
  const group = server.group("it");
  const { each } = kinds[kind];
  if (kind === "asked") {
    // Whoever has never answered is asked by a packet behind the event.
    await load.ask("expectPushes", { group, receivers: sockets, each: 2 });
    await server.ask("control", { label: "it", way: "asked ours", count: 1 });
    await load.ask("arrived", { group });
  }
  const send = async (way) => {
    await load.ask("expectPushes", { group, receivers: sockets, each });
    const from = await server.ask("cpu");
    await server.ask("control", { label: "it", way: `${kind} ${way}`, count: each });
    await load.ask("arrived", { group });
    return ((await server.ask("cpu")) - from) / each;
  };
  const us = { raw: [], control: [], ours: [] };
  const warmUps = 6;
  let turn = -warmUps;
  for (const order of turns(Object.keys(us), warmUps + windows)) {
    for (const way of order) {
      const found = await send(way);
      if (turn >= 0) us[way].push(found);
    }
    turn++;
  }
  await server.check("it");
  return us;
}

const ways = { control: "raw against raw: what the method can't tell apart", ours: "`notifications.send`" };

const controlOf = (sends, { kind }) => sends.find((row) => row.kind === kind && row.way === "control").ratio.median;

/** The section of RESULTS.md. */
export const render = ({ sends, pages }) => `## Notifications

Server CPU time of one notification to a user with ${sockets} sockets, kept in memory, as a ratio to a push of the same data by Socket.IO alone,
to the same sockets of one server process; measured as the pushes are. Where there are fallbacks each client is asked whether it
has it. Median of ${sends[0].ratio.values.length} server processes, least and greatest.

${table(
  [
    ["CPU per notification, x raw", (row) => `${row.title}: ${ways[row.way]}`],
    ["ratio", (row) => ratio(row.ratio, 3)],
    ["raw, us", (row) => figure(row.rawUs.median)],
    [
      "target",
      (row) => (row.way === "ours" ? verdict(row.ratio.median, { atMost: row.target }, controlOf(sends, row)) : ""),
    ],
  ],
  sends,
)}

A page of 50 and the count, for a user with 50 unread and for one with 10,000, by the store alone:

${table(
  [
    ["store", (row) => row.kind],
    ["50 unread, us", (row) => figures(row.few)],
    ["10,000 unread, x", (row) => ratio(row.ratio)],
    ["target", (row) => verdict(row.ratio.median, { atMost: 3 }, 1)],
  ],
  pages,
)}
`;
