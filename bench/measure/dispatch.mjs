/**
 * Dispatches in process: what they take from a decoded event to the acknowledgement's call, without parser, WebSocket and
 * TCP. The event is emitted on a real server-side socket of a real connection, as Socket.IO emits it after the middleware; so
 * ours runs through the listener that it put on that socket itself.
 *
 * All cases of a row live in one process and take turns of a few milliseconds, so that they share whatever the machine is
 * doing: `dispatch.mjs <JSON of [{ contestant, kind, subscribers, ... }]>`, run with `--expose-gc --max-semi-space-size=...`, so
 * that no collection falls into the counting of bytes.
 */
import { tracingChannel } from "node:diagnostics_channel";
import { EventEmitter } from "node:events";
import { Server } from "socket.io";
import { z } from "zod4";
import { loadBuild } from "../contestants/build.mjs";
import { callFrames, Connection } from "../load/connection.mjs";
import { serveCommands } from "./processes.mjs";
import { median, pairedRatio, shuffled } from "./statistics.mjs";
import { counted, payload, payloadSchema, replyTo, serverOptions } from "../load/workload.mjs";

const event = "message";
const internal = { error: { code: "INTERNAL", message: "internal error" } };
const schema = payloadSchema(z);
const emit = EventEmitter.prototype.emit;
/** Where the hand-written guards report to. */
const report = () => void counted.runs--;

/** A function that shares nothing with its likes, as each listener in an application is a piece of code of its own. */
const distinct = (source) =>
  new Function("counted", "replyTo", "schema", "report", "internal", `return ${source}`)(
    counted,
    replyTo,
    schema,
    report,
    internal,
  );

/** What a feature's row switches on. */
const features = {
  schema: { input: schema },
  timeout: { timeoutMs: 5_000 },
  concurrency: { concurrency: 10 },
  interceptor: { use: [(_context, next) => next()] },
};

/** The sources of a case's subscribers, as functions that return the reply or nothing; the last one answers. */
function sources({ kind, subscribers }, parameters) {
  const work = kind === "async" ? "await counted.runs++;" : "counted.runs++;";
  return Array.from(
    { length: subscribers },
    (_, index) =>
      `${kind === "async" ? "async " : ""}(${parameters}) => { ${work} ${index === subscribers - 1 ? "return replyTo(data);" : ""} }`,
  );
}

/** What attaches each contestant's listeners for one event to a socket or emitter. */
const attach = {
  /** Plain listeners: nothing is caught. */
  raw(target, name, { subscribers, acknowledged, feature }) {
    if (feature === "schema") {
      const checked =
        "const parsed = schema.safeParse(data); counted.runs++; reply(parsed.success ? replyTo(parsed.data) : internal);";
      target.on(name, distinct(`(data, reply) => { ${checked} }`));
      return;
    }
    for (let i = 1; i < subscribers; i++) target.on(name, distinct("(data) => { counted.runs++; }"));
    target.on(
      name,
      distinct(
        acknowledged ? "(data, reply) => { counted.runs++; reply(replyTo(data)); }" : "(data) => { counted.runs++; }",
      ),
    );
  },
  /** Each listener in a try of its own, written out. */
  guarded(target, name, { subscribers }) {
    for (let i = 1; i < subscribers; i++) {
      target.on(name, distinct("(data) => { try { counted.runs++; } catch (error) { report(error); } }"));
    }
    target.on(
      name,
      distinct(
        "(data, reply) => { try { counted.runs++; reply(replyTo(data)); } catch (error) { report(error); reply(internal); } }",
      ),
    );
  },
  /** Each listener through the helper that one writes once for all. */
  helper(target, name, options) {
    const guard =
      (fn) =>
      (...args) => {
        const reply = typeof args.at(-1) === "function" ? args.pop() : undefined;
        try {
          const value = fn(...args);
          if (value !== undefined) reply?.(value);
        } catch (error) {
          report(error);
          reply?.(internal);
        }
      };
    for (const source of sources(options, "data")) target.on(name, guard(distinct(source)));
  },
  /** Each async listener through the helper that one writes once for all; further subscribers are further listeners. */
  asyncHelper(target, name, options) {
    const guard =
      (fn) =>
      async (...args) => {
        const reply = typeof args.at(-1) === "function" ? args.pop() : undefined;
        try {
          const value = await fn(...args);
          if (value !== undefined) reply?.(value);
        } catch (error) {
          report(error);
          reply?.(internal);
        }
      };
    for (const source of sources(options, "data")) target.on(name, guard(distinct(source)));
  },
  /** One async listener that awaits its subscribers in turn, in a try each, and answers with the last value. */
  wrapped(target, name, options) {
    const all = sources(options, "data").map(distinct);
    if (all.length === 1) {
      const [only] = all;
      target.on(name, async (data, reply) => {
        try {
          reply(await only(data));
        } catch (error) {
          report(error);
          reply(internal);
        }
      });
      return;
    }
    target.on(name, async (data, reply) => {
      let last;
      for (const run of all) {
        try {
          const value = await run(data);
          if (value !== undefined) last = value;
        } catch (error) {
          report(error);
        }
      }
      reply(last ?? internal);
    });
  },
};

/** Sets one case up: resolves to the emitter its event is emitted on, when every listener is where it will be. */
async function prepare(options) {
  const { contestant, feature, events, handlers } = options;
  const names = [event, ...Array.from({ length: Math.max(3, events) }, (_, index) => `other_${index}`)];
  if (contestant === "emitter") {
    const emitter = new EventEmitter().setMaxListeners(0);
    for (const name of names) attach.raw(emitter, name, options);
    return { ...options, names, target: emitter };
  }
  const io = new Server(0, serverOptions);
  const connected = new Promise((resolve) => io.on("connection", resolve));
  if (["ours", "baseline", "again"].includes(contestant)) {
    const { SocketIngress } = await loadBuild(contestant);
    const ingress = new SocketIngress({ maxInFlight: 1_000_000 }).attach(io);
    for (const name of names) {
      for (const source of sources(options, "context, data"))
        ingress.subscribe(name, distinct(source), features[feature] ?? {});
    }
    for (let i = 0; i < handlers; i++) ingress.subscribe(`handled_${i}`, distinct("() => {}"));
  } else {
    io.on("connection", (socket) => {
      socket.setMaxListeners(0);
      for (const name of names) attach[contestant](socket, name, options);
    });
  }
  const client = await new Connection(io.httpServer.address().port).open();
  const target = await connected;
  // By the client itself: ours puts its listener on a socket when the socket sends the event for the first time.
  const sendOnce = async (name) => {
    const answered = new Promise((resolve) => (client.onReplies = resolve));
    client.tcp.write(callFrames(name, 1));
    if (options.acknowledged) await answered;
    else while (target.listenerCount(name) === 0) await new Promise(setImmediate);
  };
  for (const name of names) await sendOnce(name);
  for (
    let missing = names;
    missing.length > 0;
    missing = names.slice(0, 4).filter((name) => target.listenerCount(name) === 0)
  ) {
    if (missing !== names) for (const name of missing) await sendOnce(name);
  }
  return { ...options, names, target };
}

let answered = 0;
let expected = Infinity;
let wake;
/** Keeps the reply, as Socket.IO's own hands it to the encoder: otherwise the optimiser never makes the raw listener's. */
let lastReply;
const acknowledge = (reply) => {
  lastReply = reply;
  if (++answered === expected) wake();
};

/** `count` dispatches one after another; those that take time ten at a time, the next ten when all are answered. */
async function dispatches({ target, kind, acknowledged, waits }, name, count) {
  if (kind === "sync" && !waits) {
    if (acknowledged) for (let i = 0; i < count; i++) emit.call(target, name, payload, acknowledge);
    else for (let i = 0; i < count; i++) emit.call(target, name, payload);
    return;
  }
  for (let done = 0; done < count; done += 10) {
    expected = answered + 10;
    const all = new Promise((resolve) => (wake = resolve));
    for (let i = 0; i < 10; i++) emit.call(target, name, payload, acknowledge);
    await all;
  }
  expected = Infinity;
}

async function timed(entry, count) {
  const before = answered;
  const from = process.hrtime.bigint();
  await dispatches(entry, event, count);
  const ns = Number(process.hrtime.bigint() - from);
  if (entry.acknowledged && (answered - before !== count || lastReply?.ok !== true))
    throw new Error(`${answered - before} replies to ${count} dispatches, the last one ${JSON.stringify(lastReply)}`);
  return ns / count;
}

async function bytesOf(entry) {
  // few enough dispatches that the young generation holds them all; after a collection some code has to be optimised again
  const few = 10 * Math.ceil(500 / entry.subscribers);
  const sizes = [];
  globalThis.gc();
  await dispatches(entry, event, 10 * few);
  for (let i = 0; i < 5; i++) {
    const from = process.memoryUsage().heapUsed;
    await dispatches(entry, event, few);
    sizes.push((process.memoryUsage().heapUsed - from) / few);
  }
  return median(sizes);
}

const defaults = {
  kind: "sync",
  subscribers: 1,
  acknowledged: true,
  waits: false,
  feature: "none",
  events: 1,
  handlers: 0,
};
const cases = JSON.parse(process.argv[2]);
const entries = [];
// in another order in each process: what is loaded first is not loaded last
for (const index of shuffled([...cases.keys()])) entries[index] = await prepare({ ...defaults, ...cases[index] });
if (entries.some(({ feature }) => feature === "diagnostics")) {
  const listeners = Object.fromEntries(
    ["start", "end", "asyncStart", "asyncEnd", "error"].map((name) => [name, () => {}]),
  );
  tracingChannel("socket-ingress:dispatch").subscribe(listeners);
}

serveCommands({
  /** Nanoseconds in the median and at least, bytes, and what the slices are of those beside them, of each case in order. */
  async measure({ samples = 150, sampleMs = 2 }) {
    // several events have run before, so no call is specialised to one subscriber by luck
    for (let i = 0; i < 3; i++)
      for (const entry of entries) for (const name of entry.names.slice(1, 4)) await dispatches(entry, name, 10_000);
    for (const entry of entries) {
      const ns = Math.min(await timed(entry, 20_000), await timed(entry, 20_000));
      entry.count = 10 * Math.ceil((sampleMs * 1e6) / ns / 10);
      entry.times = [];
    }
    for (let i = -20; i < samples; i++) {
      for (const entry of shuffled(entries)) {
        const ns = await timed(entry, entry.count);
        if (i >= 0) entry.times.push(ns);
      }
    }
    const results = [];
    for (const entry of entries)
      results.push({
        ns: median(entry.times),
        minNs: Math.min(...entry.times),
        paired: entries.map((base) => pairedRatio(entry.times, base.times)),
        bytes: await bytesOf(entry),
      });
    return results;
  },
});
