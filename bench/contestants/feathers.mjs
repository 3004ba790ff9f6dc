/**
 * Feathers 5: each event is a custom method of one service, called as `emit(event, "bench", data)`; its further
 * subscribers are hooks after the method, which is how Feathers fans out.
 */
import { feathers } from "@feathersjs/feathers";
import socketio from "@feathersjs/socketio";
import { z } from "zod4";
import { counted, payloadSchema, replyTo, serverOptions } from "../load/workload.mjs";

const schema = payloadSchema(z);

/** What goes before the payload in a call. */
export const before = ["bench"];

/** Starts the server and resolves to its port. */
export async function start({ events, more = [] }) {
  const methods = [...events.map(({ name }) => name), ...more];
  const service = {};
  const after = {};
  for (const { name, kind, subscribers } of events) {
    service[name] =
      kind === "sync"
        ? async (data) => replyTo(data)
        : kind === "async"
          ? async (data) => (await counted.runs++, replyTo(data))
          : async (data) => replyTo(schema.parse(data));
    const hook = kind === "async" ? async () => void (await counted.runs++) : () => void counted.runs++;
    if (subscribers > 1) after[name] = Array.from({ length: subscribers - 1 }, () => (context) => hook(context));
  }
  for (const name of more) service[name] = async (data) => replyTo(data);
  const app = feathers().configure(socketio(serverOptions, (io) => io.sockets.setMaxListeners(0)));
  app.use("bench", service, { methods });
  if (Object.keys(after).length > 0) app.service("bench").hooks({ after });
  const server = await app.listen(0);
  await new Promise((resolve) => (server.listening ? resolve() : server.once("listening", resolve)));
  return { port: server.address().port, before };
}
