/**
 * One contestant's dispatch, in process: what it takes from a decoded event to the acknowledgement's call, without parser,
 * WebSocket and TCP. The event is emitted on a real server-side socket of a real connection, as Socket.IO emits it after
 * the middleware; so ours runs through the listener that it put on that socket itself.
 *
 * A process of its own for each measurement: `dispatch.mjs <JSON of { contestant, kind, subscribers, ... }>`, run with
 * `--expose-gc --max-semi-space-size=...`, so that no collection falls into the counting of bytes.
 */
import { channel } from "node:diagnostics_channel";
import { EventEmitter } from "node:events";
import { Server } from "socket.io";
import { z } from "zod4";
import { SocketIngress } from "./build.mjs";
import { Connection, callFrames } from "./connection.mjs";
import { serveCommands } from "./processes.mjs";
import { median } from "./statistics.mjs";
import { counted, payload, payloadSchema, replyTo, serverOptions } from "./workload.mjs";

const { contestant, kind = "sync", subscribers = 1, acknowledged = true, feature, events = 1, handlers } = JSON.parse(process.argv[2]);
const event = "message";
const internal = { error: { code: "INTERNAL", message: "internal error" } };
const schema = payloadSchema(z);
/** Where the hand-written guards report to. */
const report = () => void counted.runs--;

/** A function that shares nothing with its likes, as each listener in an application is a piece of code of its own. */
const distinct = (source) => new Function("counted", "replyTo", "schema", "report", "internal", `return ${source}`)(counted, replyTo, schema, report, internal);

// Subscribers: what an application would write. The last one answers.
const isLast = (index) => index === subscribers - 1;
const work = kind === "async" ? "await counted.runs++;" : "counted.runs++;";
const word = kind === "async" ? "async " : "";
/** The source of the subscriber at `index`, as a function that returns its reply. */
const source = (index, parameters = "data") => `${word}(${parameters}) => { ${work} ${isLast(index) ? "return replyTo(data);" : ""} }`;
const indices = Array.from({ length: subscribers }, (_, index) => index);

/** What attaches each contestant's listeners for one event to a socket or emitter. */
const attach = {
  /** Plain listeners: nothing is caught. */
  raw(target, name) {
    for (const index of indices) {
      const answers = acknowledged && isLast(index);
      target.on(name, distinct(answers ? `(data, reply) => { ${work} reply(replyTo(data)); }` : `(data) => { ${work} }`));
    }
  },
  /** Each listener in a try of its own, written out. */
  guarded(target, name) {
    for (const index of indices) {
      const answers = acknowledged && isLast(index);
      target.on(
        name,
        distinct(
          answers
            ? `(data, reply) => { try { ${work} reply(replyTo(data)); } catch (error) { report(error); reply(internal); } }`
            : `(data) => { try { ${work} } catch (error) { report(error); } }`,
        ),
      );
    }
  },
  /** Each listener through the helper that one writes once for all: `guard(fn)`. */
  helper(target, name) {
    const guard = (fn) => (...args) => {
      const reply = typeof args.at(-1) === "function" ? args.pop() : undefined;
      try {
        const value = fn(...args);
        if (value !== undefined) reply?.(value);
      } catch (error) {
        report(error);
        reply?.(internal);
      }
    };
    for (const index of indices) target.on(name, guard(distinct(source(index))));
  },
  /** One async listener that awaits its subscribers in turn, in a try each, and answers with the last value. */
  wrapped(target, name) {
    const all = indices.map((index) => distinct(source(index)));
    if (all.length === 1) {
      const [only] = all;
      target.on(name, async (data, reply) => {
        try {
          const value = await only(data);
          reply?.(value);
        } catch (error) {
          report(error);
          reply?.(internal);
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
      reply?.(last ?? internal);
    });
  },
};

/** What a feature's row switches on. */
const features = {
  schema: { input: schema },
  timeout: { timeoutMs: 5_000 },
  concurrency: { concurrency: 10 },
  interceptor: { use: [(_context, next) => next()] },
};

const others = Array.from({ length: Math.max(3, events) }, (_, index) => `other_${index}`);
const { target, send } = await open();
const emit = EventEmitter.prototype.emit;

async function open() {
  if (contestant === "emitter") {
    const emitter = new EventEmitter();
    emitter.setMaxListeners(0);
    for (const name of [event, ...others]) attach.raw(emitter, name);
    return { target: emitter, send: () => {} };
  }
  const io = new Server(0, serverOptions);
  const connected = new Promise((resolve) => io.on("connection", resolve));
  if (contestant === "ours") {
    const ingress = new SocketIngress({ maxInFlight: 1_000_000 }).attach(io);
    const options = feature === "diagnostics" ? {} : (features[feature] ?? {});
    if (feature === "diagnostics") {
      for (const part of ["start", "end", "asyncStart", "asyncEnd", "error"]) channel(`tracing:socket-ingress.dispatch:${part}`).subscribe(() => {});
    }
    for (const name of [event, ...others]) {
      for (const index of indices) ingress.subscribe(name, distinct(source(index, "context, data")), options);
    }
    for (let i = 0; i < (handlers ?? 0); i++) ingress.subscribe(`handled_${i}`, distinct("() => {}"));
  } else {
    io.on("connection", (socket) => {
      socket.setMaxListeners(0);
      for (const name of [event, ...others]) {
        if (feature === "schema") {
          socket.on(name, distinct("(data, reply) => { const parsed = schema.safeParse(data); counted.runs++; reply(parsed.success ? replyTo(parsed.data) : internal); }"));
        } else attach[contestant](socket, name);
      }
    });
  }
  const client = await new Connection(io.httpServer.address().port).open();
  const socket = await connected;
  return {
    target: socket,
    /** Has the client itself send an event: ours puts its listener on a socket when the socket sends it for the first time. */
    send: (name) =>
      new Promise((resolve) => {
        client.onReplies = resolve;
        client.tcp.write(callFrames(name, 1));
      }),
  };
}

let answered = 0;
let wake;
const acknowledge = () => {
  if (++answered === expected) wake?.();
};
let expected = Infinity;

/** `count` dispatches one after another. With async subscribers in tens, each ten done before the next. */
async function dispatches(name, count) {
  if (kind === "sync") {
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
}

serveCommands({
  async measure({ samples = 30, sampleMs = 10 }) {
    for (const name of [event, ...others]) await send(name);
    // several events have run before, so no call is specialised to one subscriber by luck
    for (const name of others.slice(0, 3)) await dispatches(name, 20_000);
    let count = 1_000;
    for (let took = 0; took < sampleMs; ) {
      const from = performance.now();
      await dispatches(event, count);
      took = performance.now() - from;
      if (took < sampleMs) count = 10 * Math.ceil((count * Math.min(10, (1.2 * sampleMs) / Math.max(took, 0.01))) / 10);
    }
    for (const until = performance.now() + 300; performance.now() < until; ) await dispatches(event, count);
    const times = [];
    for (let i = 0; i < samples; i++) {
      const before = answered;
      const from = process.hrtime.bigint();
      await dispatches(event, count);
      times.push(Number(process.hrtime.bigint() - from) / count);
      if (acknowledged && answered - before !== count) throw new Error(`${answered - before} replies to ${count} dispatches`);
    }
    // bytes: few enough dispatches that the young generation holds them all
    const few = 5_000;
    const sizes = [];
    for (let i = 0; i < 5; i++) {
      globalThis.gc();
      await dispatches(event, 10);
      const from = process.memoryUsage().heapUsed;
      await dispatches(event, few);
      sizes.push((process.memoryUsage().heapUsed - from) / few);
    }
    return { ns: median(times), minNs: Math.min(...times), bytes: median(sizes) };
  },
});
