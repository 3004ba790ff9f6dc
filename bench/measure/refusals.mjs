/**
 * What a refusal takes beside an answer, in process: from the decoded packet, middleware and catch-alls included, to the acknowledgement's
 * call. All cases live in one process and take turns of ten events, a few thousand at a time.
 */
import { Server } from "socket.io";
import { z } from "zod4";
import { loadBuild } from "../contestants/build.mjs";
import { callFrames, Connection } from "../load/connection.mjs";
import { payload, payloadSchema, replyTo, serverOptions } from "../load/workload.mjs";
import { serveCommands } from "./processes.mjs";
import { median, shuffled } from "./statistics.mjs";

const { EventError, SocketIngress } = await loadBuild("ours");
const never = new Promise(() => {});
const answers = (_context, data) => replyTo(data);
const refusing = (ingress, name, refuse) => {
  ingress.subscribe(name, refuse, { guard: true });
  ingress.subscribe(name, answers);
};
const made = new EventError("FORBIDDEN", "not you");

/** The event of each case, what is subscribed to it, and the code that its caller hears. */
const cases = {
  answer: { subscribe: (ingress, name) => ingress.subscribe(name, answers) },
  UNKNOWN_EVENT: { code: "UNKNOWN_EVENT", subscribe: () => {} },
  INVALID_INPUT: {
    code: "INVALID_INPUT",
    subscribe: (ingress, name) =>
      ingress.subscribe(name, answers, { input: payloadSchema(z).extend({ missing: z.string() }) }),
  },
  "OVERLOADED, lane": {
    code: "OVERLOADED",
    // the first one answers and goes on for ever
    subscribe: (ingress, name) =>
      ingress.subscribe(name, (context, data) => (context.reply(replyTo(data)), never), {
        concurrency: 1,
        queueMax: 0,
        timeoutMs: Infinity,
      }),
  },
  "OVERLOADED, maxPending": {
    code: "OVERLOADED",
    isFull: true,
    subscribe: (ingress, name) => ingress.subscribe(name, answers),
  },
  "a guard, made beforehand": {
    code: "FORBIDDEN",
    subscribe: (ingress, name) =>
      refusing(ingress, name, () => {
        throw made;
      }),
  },
  "a guard, `stack: false`": {
    code: "FORBIDDEN",
    subscribe: (ingress, name) =>
      refusing(ingress, name, () => {
        throw new EventError("FORBIDDEN", "not you", { stack: false });
      }),
  },
  "a guard, with its stack": {
    code: "FORBIDDEN",
    subscribe: (ingress, name) =>
      refusing(ingress, name, () => {
        throw new EventError("FORBIDDEN", "not you");
      }),
  },
};

const write = () => {};
const silent = { debug: write, info: write, warn: write, error: write, child: () => silent };
silent.isLevelEnabled = (level) => level !== "debug";

const io = new Server(0, serverOptions);
const ingress = new SocketIngress({ maxInFlight: 4, maxPending: 4, logger: silent }).attach(io);
ingress.subscribe("hang", () => never, { timeoutMs: Infinity });

/** The server's side of a new connection that has sent an event once, and had it answered. */
async function enter(name) {
  const connected = new Promise((resolve) => io.once("connection", resolve));
  const client = await new Connection(io.httpServer.address().port).open();
  const socket = await connected;
  const answered = new Promise((resolve) => (client.onReplies = resolve));
  client.tcp.write(callFrames(name, 1));
  await answered;
  return socket;
}

const entries = [];
for (const [name, { subscribe, code, isFull = false }] of Object.entries(cases)) {
  subscribe(ingress, name);
  const socket = await enter(name);
  // four run, four wait: full
  if (isFull) for (let i = 0; i < 8; i++) socket.onevent({ data: ["hang"] });
  entries.push({ name, code, socket, times: [] });
}
await new Promise(setImmediate);

let left = 0;
let wake;
let last;
const acknowledge = (reply) => {
  last = reply;
  if (--left === 0) wake();
};

/** As Socket.IO does with a decoded packet, each with an acknowledgement of its own. */
async function deliver({ name, socket }, count) {
  for (let done = 0; done < count; done += 10) {
    left = 10;
    const all = new Promise((resolve) => (wake = resolve));
    for (let i = 0; i < 10; i++) {
      const event = [name, payload, (reply) => acknowledge(reply)];
      for (const listener of socket.listenersAny()) listener.apply(socket, event);
      socket.dispatch(event);
    }
    await all;
  }
}

serveCommands({
  /** Nanoseconds of each case, in order: the median of turns. */
  async measure({ turns = 40, count = 1_000 }) {
    for (const entry of entries) await deliver(entry, 10_000);
    for (let turn = 0; turn < turns; turn++) {
      for (const entry of shuffled(entries)) {
        const from = process.hrtime.bigint();
        await deliver(entry, count);
        entry.times.push(Number(process.hrtime.bigint() - from) / count);
        if (last?.error?.code !== entry.code) throw new Error(`${entry.name}: ${JSON.stringify(last)}`);
      }
    }
    return entries.map(({ name, times }) => ({ name, ns: median(times) }));
  },
});
