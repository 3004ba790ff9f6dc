/** What limits cost: an event that is counted, in process and end to end, and a flood that is refused. */
import { alternate, withServer } from "../measure/measure.mjs";
import { start } from "../measure/processes.mjs";
import { attempt } from "../measure/rows.mjs";
import { pairedRatio, spread } from "../measure/statistics.mjs";
import { figures, ratio, table, verdict } from "../measure/table.mjs";

export const name = "limits";

const event = "sync1";
/** Ten connections that send forty events every 20 ms: 20,000 a second. */
const flood = { inFlight: 40, everyMs: 20 };
const flooders = 10;
const floodMs = 2_000;

/** Nanoseconds of an event in process, by case. */
async function inProcess() {
  const child = await start("measure/limits.mjs", [], ["--no-warnings"]);
  try {
    return await child.ask("measure");
  } finally {
    await child.stop();
  }
}

/** CPU per event with a rate, and without one again, as ratios to without. */
async function endToEnd(load, windows) {
  const contestants = {
    plain: { contestant: "limited", how: "plain" },
    again: { contestant: "limited", how: "plain" },
    limited: { contestant: "limited", how: "limited" },
  };
  return withServer(load, contestants, {}, async (server) => {
    const calls = Object.fromEntries(Object.keys(contestants).map((label) => [label, { label, event, inFlight: 1 }]));
    const { plain, again, limited } = await alternate(server, calls, { windows });
    return { control: pairedRatio(again.us, plain.us), limited: pairedRatio(limited.us, plain.us) };
  });
}

/** Server CPU per event of a flood, in microseconds: Socket.IO alone that serves it, twice, and limits that refuse it. */
async function flooded(load, event) {
  const us = {};
  const contestants = { raw: { how: "raw" }, again: { how: "raw" }, limited: { how: "limited", points: 100 } };
  for (const [label, options] of Object.entries(contestants)) {
    const only = { [label]: { contestant: "limited", ...options } };
    us[label] = await withServer(load, only, { connections: flooders }, async (server) => {
      await server.window(label, { event, ...flood }, floodMs / 4);
      const { cpuUs, events } = await server.window(label, { event, ...flood }, floodMs);
      return cpuUs / events;
    });
  }
  return us;
}

/** Measures each in processes of its own, as often as there are rounds. */
export async function run({ load, rounds, windows, log }) {
  const found = { process: [], ends: [], floods: [], calls: [] };
  for (let round = 0; round < rounds; round++) {
    const measured = {
      process: await attempt("a limited event in process", log, inProcess),
      ends: await attempt("a limited event end to end", log, () => endToEnd(load, windows)),
      floods: await attempt("a flood of messages", log, () => flooded(load, "say")),
      calls: await attempt("a flood of calls", log, () => flooded(load, event)),
    };
    for (const [what, value] of Object.entries(measured)) if (value !== undefined) found[what].push(value);
    log(`round ${round + 1}`);
  }
  const { process: ns, ends, floods, calls } = found;
  return {
    plain: spread(ns.map(({ none }) => none / 1_000)),
    passes: spread(ns.map(({ none, passes }) => (passes - none) / 1_000)),
    again: spread(ns.map((one) => (one["none again"] - one.none) / 1_000)),
    refused: spread(ns.map(({ refused }) => refused / 1_000)),
    endControl: spread(ends.map(({ control }) => control)),
    end: spread(ends.map(({ limited }) => limited)),
    floodControl: spread(floods.map(({ raw, again }) => again / raw)),
    flood: spread(floods.map(({ raw, limited }) => limited / raw)),
    floodRaw: spread(floods.map(({ raw }) => raw)),
    calls: spread(calls.map(({ raw, limited }) => limited / raw)),
    callsRaw: spread(calls.map(({ raw }) => raw)),
  };
}

/** The section of RESULTS.md. */
export const render = (results) => `## Limits

An event that one rate counts, by its user, in memory; median, least and greatest. In process from the decoded packet to the acknowledgement's call,
beside a server without a rate in the same process, in turns; end to end as CPU time of the server per acknowledged event, one call in flight on 40 connections. The flood
is 20,000 events a second on ten connections, with an acknowledgement each: messages that Socket.IO alone passes on to all ten, and calls that it answers from a
listener that does nothing else. Limits refuse all but a hundred of each client with \`RATE_LIMITED\`.

${table(
  [
    ["", (row) => row[0]],
    ["", (row) => row[1]],
    ["target", (row) => row[2]],
  ],
  [
    ["an event without a rate in process, us", figures(results.plain), ""],
    ["with a rate, us more", figures(results.passes), verdict(results.passes.median, { atMost: 0.4 }, 1)],
    ["without a rate again, us more: what the method can't tell apart", figures(results.again), ""],
    ["an event that is refused in process, us", figures(results.refused), ""],
    [
      "end to end, x without a rate",
      ratio(results.end, 3),
      verdict(results.end.median, { atMost: 1.03 }, results.endControl.median),
    ],
    ["without a rate again, x", ratio(results.endControl, 3), ""],
    [
      "a flood of messages, CPU per event, x Socket.IO alone",
      ratio(results.flood),
      verdict(results.flood.median, { atMost: 0.5 }, results.floodControl.median, 0.1),
    ],
    ["Socket.IO alone again, x", ratio(results.floodControl), ""],
    ["Socket.IO alone, us", figures(results.floodRaw), ""],
    ["a flood of calls that cost nothing, x Socket.IO alone", ratio(results.calls), ""],
    ["Socket.IO alone, us", figures(results.callsRaw), ""],
  ],
)}
`;
