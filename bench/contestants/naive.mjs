/** The layer one writes in an afternoon: a sorted copy of the subscribers, a closure each, `Promise.allSettled`. */
import { Server } from "socket.io";
import { z } from "zod4";
import { counted, payloadSchema, replyTo, serverOptions } from "../load/workload.mjs";

const schema = payloadSchema(z);

/** Starts the server and resolves to its port. */
export async function start({ events, more = [] }) {
  const io = new Server(0, serverOptions);
  const table = new Map();
  const subscribe = (name, run, priority = 100) => table.set(name, [...(table.get(name) ?? []), { run, priority }]);
  for (const { name, kind, subscribers } of events) {
    for (let i = 1; i < subscribers; i++) subscribe(name, () => void counted.runs++);
    if (kind === "sync") subscribe(name, (_context, data) => replyTo(data));
    else if (kind === "async") subscribe(name, async (_context, data) => (await counted.runs++, replyTo(data)));
    else subscribe(name, (_context, data) => replyTo(schema.parse(data)));
  }
  for (const name of more) subscribe(name, (_context, data) => replyTo(data));
  io.on("connection", (socket) => {
    for (const name of table.keys()) {
      socket.on(name, async (...args) => {
        const reply = typeof args.at(-1) === "function" ? args.pop() : () => {};
        const sorted = [...table.get(name)].sort((a, b) => a.priority - b.priority);
        const results = await Promise.allSettled(sorted.map(async ({ run }) => run({ socket, event: name }, ...args)));
        const value = results.findLast((result) => result.status === "fulfilled" && result.value !== undefined)?.value;
        reply(value ?? { error: { code: "INTERNAL", message: "internal error" } });
      });
    }
  });
  return { port: io.httpServer.address().port };
}
