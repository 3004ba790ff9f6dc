/** What an edit of a shared document costs, beside others that do the same on Yjs. */
import { openEditors } from "../load/editors.mjs";
import { start } from "../measure/processes.mjs";
import { attempt } from "../measure/rows.mjs";
import { median, spread } from "../measure/statistics.mjs";
import { figures, ratio, table, verdict } from "../measure/table.mjs";

export const name = "collab";

const editors = 4;
/** What is asked is what an edit costs a server that has run for a while: V8 goes on compiling for some 3,000 of them, whoever's it is. */
const warmUp = { edits: 4_000, everyMs: 2 };
const edits = 1_500;
const everyMs = 4;
const kinds = ["ours", "hocuspocus", "y-socket.io"];

/** Measures the kinds in turns, each in a process of its own. */
export async function run({ rounds, quick, log }) {
  const found = Object.fromEntries(kinds.map((kind) => [kind, []]));
  for (let round = 0; round < (quick ? 1 : Math.max(5, rounds)); round++) {
    for (const kind of round % 2 === 0 ? kinds : kinds.toReversed()) {
      const measured = await attempt(kind, log, () => measure(kind));
      if (measured) found[kind].push({ ...measured, round });
      log(`${kind}, round ${round + 1}: ${JSON.stringify(measured)}`);
    }
  }
  return { rows: kinds.map((kind) => rowOf(kind, found[kind], found)) };
}

async function measure(kind) {
  const child = await start("measure/collab.mjs");
  let open;
  try {
    open = await openEditors(kind, await child.ask("open", { kind }), editors);
    await open.edit(warmUp.edits, warmUp.everyMs);
    const from = await child.ask("cpu");
    const { up, down } = await open.edit(edits, everyMs);
    return { up: up / edits, down: down / edits, us: ((await child.ask("cpu")) - from) / edits };
  } finally {
    open?.close();
    await child.stop();
  }
}

function rowOf(kind, measured, found) {
  const of = (read) => spread(measured.map(read));
  const others = found.hocuspocus;
  const against = (read) => {
    const base = median(others.map(read));
    return spread(measured.map((one) => read(one) / base));
  };
  return {
    kind,
    up: of(({ up }) => up),
    down: of(({ down }) => down),
    us: of(({ us }) => us),
    bytesRatio: against(({ up, down }) => up + down),
    cpuRatio: against(({ us }) => us),
  };
}

/** The section of RESULTS.md. */
export const render = ({ rows }) => `## Documents that many edit

${editors} editors of one document type ${edits} characters in turns, one every ${everyMs} ms, after ${warmUp.edits} that do not count, each with the client of its own: bytes on the line for each
edit, with all that WebSocket adds, to the server and from it to all editors, and the server's CPU time. Nothing is stored. Median of ${rows[0].us.values.length}
server processes, least and greatest; the ratios are to hocuspocus.

${table(
  [
    ["", ({ kind }) => kind],
    ["bytes up", (row) => figures(row.up)],
    ["bytes down", (row) => figures(row.down)],
    ["CPU, us", (row) => figures(row.us)],
    ["bytes, x", (row) => ratio(row.bytesRatio)],
    ["CPU, x", (row) => ratio(row.cpuRatio)],
    ["target, bytes", (row) => (row.kind === "ours" ? verdict(row.bytesRatio.median, { atMost: 1.1 }, 1) : "")],
    ["target, CPU", (row) => (row.kind === "ours" ? verdict(row.cpuRatio.median, { atMost: 1.2 }, 1) : "")],
  ],
  rows,
)}
`;
