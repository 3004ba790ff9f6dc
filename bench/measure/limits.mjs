/**
 * What a rate costs an event in process: from the decoded packet, middleware and catch-alls included, to the acknowledgement's call. Servers
 * with and without a rate live in one process and take turns of ten events, a few thousand at a time.
 */
import { Server } from "socket.io";
import { limitedServer } from "../contestants/limited.mjs";
import { callFrames, Connection } from "../load/connection.mjs";
import { payload, replyTo, serverOptions } from "../load/workload.mjs";
import { serveCommands } from "./processes.mjs";
import { median, shuffled } from "./statistics.mjs";

/** The points of each case's rate; none, and none again, to show what the method can't tell apart. */
const cases = { none: undefined, "none again": undefined, passes: 1_000_000_000, refused: 1 };

/** A server of one case, and the server's side of a client that has had an event answered. */
async function enter(points) {
  const io = new Server(0, serverOptions);
  const { manager } = await limitedServer(io, points);
  manager.ingress.subscribe("work", (_context, data) => replyTo(data));
  const connected = new Promise((resolve) => io.once("connection", resolve));
  const client = await new Connection(io.httpServer.address().port).open();
  const socket = await connected;
  const answered = new Promise((resolve) => (client.onReplies = resolve));
  client.tcp.write(callFrames("work", 1));
  await answered;
  return socket;
}

const entries = [];
for (const [name, points] of Object.entries(cases)) entries.push({ name, socket: await enter(points), times: [] });
await new Promise(setImmediate);

let left = 0;
let wake;
let last;
const acknowledge = (reply) => {
  last = reply;
  if (--left === 0) wake();
};

/** As Socket.IO does with a decoded packet, each with an acknowledgement of its own. */
async function deliver({ socket }, count) {
  for (let done = 0; done < count; done += 10) {
    left = 10;
    const all = new Promise((resolve) => (wake = resolve));
    for (let i = 0; i < 10; i++) {
      const event = ["work", payload, (reply) => acknowledge(reply)];
      for (const listener of socket.listenersAny()) listener.apply(socket, event);
      socket.dispatch(event);
    }
    await all;
  }
}

serveCommands({
  /** Nanoseconds of each case, in order: the median of turns. */
  async measure({ turns = 60, count = 1_000 }) {
    for (const entry of entries) await deliver(entry, 10_000);
    for (let turn = 0; turn < turns; turn++) {
      for (const entry of shuffled(entries)) {
        const from = process.hrtime.bigint();
        await deliver(entry, count);
        entry.times.push(Number(process.hrtime.bigint() - from) / count);
        const code = last?.error?.code;
        if (code !== (entry.name === "refused" ? "RATE_LIMITED" : undefined))
          throw new Error(`${entry.name}: ${JSON.stringify(last)}`);
      }
    }
    return Object.fromEntries(entries.map(({ name, times }) => [name, median(times)]));
  },
});
