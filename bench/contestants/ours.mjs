/** socket-ingress, from its build, with its defaults. */
import { Server } from "socket.io";
import { z } from "zod4";
import { SocketIngress } from "./build.mjs";
import { counted, payloadSchema, replyTo, serverOptions } from "../load/workload.mjs";

const schema = payloadSchema(z);

/** Subscribes what `events` and `more` ask for. */
export function subscribe(ingress, { events, more = [] }, options = {}) {
  for (const { name, kind, subscribers } of events) {
    for (let i = 1; i < subscribers; i++) {
      if (kind === "async") ingress.subscribe(name, async () => void (await counted.runs++), options);
      else ingress.subscribe(name, () => void counted.runs++, options);
    }
    if (kind === "sync") ingress.subscribe(name, (_context, data) => replyTo(data), options);
    else if (kind === "async") {
      ingress.subscribe(name, async (_context, data) => (await counted.runs++, replyTo(data)), options);
    } else ingress.subscribe(name, (_context, data) => replyTo(data), { ...options, input: schema });
  }
  for (const name of more) ingress.subscribe(name, (_context, data) => replyTo(data), options);
}

/** Starts the server and resolves to its port. `ingress`: options of the ingress. `coalesce`: its option `coalesceWrites`. */
export async function start({ events, more, ingress: options = {}, coalesce = false }) {
  const io = new Server(0, serverOptions);
  subscribe(new SocketIngress({ ...options, coalesceWrites: coalesce }).attach(io), { events, more });
  return { port: io.httpServer.address().port };
}
