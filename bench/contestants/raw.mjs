/** Socket.IO alone, written the way its documentation does: closures attached in `io.on("connection")`. */
import { Server } from "socket.io";
import { z } from "zod4";
import { counted, payloadSchema, replyTo, serverOptions } from "../load/workload.mjs";

const schema = payloadSchema(z);

/** Attaches the listeners of `events` and `more` to one socket. */
export function listen(socket, { events, more = [] }) {
  for (const { name, kind, subscribers } of events) {
    for (let i = 1; i < subscribers; i++) {
      if (kind === "async") socket.on(name, async () => void (await counted.runs++));
      else socket.on(name, () => void counted.runs++);
    }
    if (kind === "sync") socket.on(name, (data, reply) => reply(replyTo(data)));
    else if (kind === "async")
      socket.on(name, async (data, reply) => {
        // what a careful author writes by hand: without the try a rejection ends the process
        try {
          await counted.runs++;
          reply(replyTo(data));
        } catch {
          reply({ error: { code: "INTERNAL", message: "internal error" } });
        }
      });
    else
      socket.on(name, (data, reply) => {
        const parsed = schema.safeParse(data);
        reply(parsed.success ? replyTo(parsed.data) : { error: { code: "INVALID_INPUT", message: "invalid input" } });
      });
  }
  for (const name of more) socket.on(name, (data, reply) => reply(replyTo(data, socket)));
}

/** Starts the server and resolves to its port. */
export async function start({ events, more }) {
  const io = new Server(0, serverOptions);
  io.on("connection", (socket) => listen(socket, { events, more }));
  return { port: io.httpServer.address().port };
}
