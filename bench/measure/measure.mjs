/** How a row comes about: server processes, one load client, windows of load between two readings of the server's CPU time. */
import { start } from "./processes.mjs";
import { turns } from "./statistics.mjs";

/** The load client. One that has ended is replaced when it is next asked. */
export async function startLoad() {
  let child = await start("load/load.mjs");
  return {
    async ask(command, options) {
      if (child.hasEnded()) child = await start("load/load.mjs");
      return child.ask(command, options);
    },
    stop: () => child.stop(),
  };
}

/** Connections that share the load of a window. */
export const loadConnections = 40;

/**
 * Starts one server process with the given contestants side by side in it, and connects clients to each.
 * `contestants` is `{ label: { contestant, ...options } }`.
 */
export async function serve(load, contestants, { connections = loadConnections, execArgv = ["--no-warnings"] } = {}) {
  const server = await start("measure/server.mjs", [JSON.stringify(contestants)], execArgv);
  const servers = await server.ask("servers");
  try {
    for (const [label, { port, namespaces }] of Object.entries(servers))
      if (connections > 0)
        await load.ask("open", { group: `${server.pid}/${label}`, port, namespaces, count: connections });
  } catch (error) {
    await server.stop();
    throw error;
  }
  return {
    ...server,
    servers,
    group: (label) => `${server.pid}/${label}`,
    before: (label) => servers[label].before,
    /** Sends load to one contestant for `durationMs` and returns the server's CPU time with what the client counted. */
    async window(label, call, durationMs) {
      const command = call.everyMs === undefined ? "calls" : "paced";
      const from = await server.ask("cpu");
      const counts = await load.ask(command, {
        group: this.group(label),
        before: this.before(label),
        ...call,
        durationMs,
      });
      return { ...counts, cpuUs: (await server.ask("cpu")) - from };
    },
    /** Throws unless every connection is still there and every reply was the right one. */
    async check(label) {
      const { open, bad, badReply } = await load.ask("check", { group: this.group(label) });
      if (open !== connections || bad > 0)
        throw new Error(`${label}: ${connections - open} connections lost, ${bad} wrong replies: ${badReply}`);
    },
    /** Closes the connections and ends the process. */
    async end() {
      if (connections > 0)
        for (const label of Object.keys(servers)) await load.ask("close", { group: this.group(label) });
      await server.stop();
    },
  };
}

/** What `use` finds with a server of its own, which is stopped whatever becomes of it. */
export async function withServer(load, contestants, options, use) {
  const server = await serve(load, contestants, options);
  try {
    return await use(server);
  } finally {
    await server.stop();
  }
}

/** How long a window of load is, in milliseconds: short, so that the two of a pair see the same machine. */
export const windowMs = 50;

/**
 * Runs contestants of one process against each other in short windows, in turns: each has one window in a turn, in a random
 * order that the next turn has backwards. `calls` is `{ name: { label, event, namespace?, inFlight, mode?, settings? } }`,
 * where `settings` go to the contestant's `control` before the window. Resolves to CPU time per event and latencies of each
 * window for each name, by turn, for `pairedRatio`; rejects if a reply was wrong.
 */
export async function alternate(server, calls, { windows, windowMs: ms = windowMs, warmUpMs = 500 }) {
  const names = Object.keys(calls);
  const sums = Object.fromEntries(names.map((name) => [name, { us: [], p50Ms: [], p99Ms: [] }]));
  const run = async ({ label, settings, ...call }, durationMs) => {
    if (settings) await server.ask("control", { label, ...settings });
    return server.window(label, call, durationMs);
  };
  for (const call of Object.values(calls)) await run(call, warmUpMs);
  for (const order of turns(names, windows)) {
    for (const name of order) {
      const { cpuUs, events, p50Ms, p99Ms } = await run(calls[name], ms);
      const sum = sums[name];
      sum.us.push(cpuUs / events);
      sum.p50Ms.push(p50Ms);
      sum.p99Ms.push(p99Ms);
    }
  }
  for (const label of new Set(Object.values(calls).map((call) => call.label))) await server.check(label);
  return sums;
}
