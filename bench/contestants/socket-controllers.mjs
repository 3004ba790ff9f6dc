/** socket-controllers: a controller per subscriber, the last one calls the acknowledgement (returned values are not replies). */
import { Server } from "socket.io";
import { MessageAck, MessageBody, OnMessage, SocketController, SocketControllers } from "socket-controllers";
import { z } from "zod4";
import { addMethod } from "./decorate.mjs";
import { counted, payloadSchema, replyTo, serverOptions } from "../load/workload.mjs";

const schema = payloadSchema(z);

/** Starts the server and resolves to its port. `transform: false` leaves out class-transformer, which is on by default. */
export async function start({ events, more = [], transform = true }) {
  const most = Math.max(1, ...events.map(({ subscribers }) => subscribers));
  const controllers = Array.from({ length: most }, (_, index) => {
    const Controller = { [`Controller${index}`]: class {} }[`Controller${index}`];
    const add = (name, method) => {
      addMethod(
        Controller,
        name,
        method,
        [OnMessage(name)],
        method.length > 1 ? [MessageBody(), MessageAck()] : [MessageBody()],
      );
    };
    for (const { name, kind, subscribers } of events) {
      if (index >= subscribers) continue;
      if (index < subscribers - 1) {
        add(name, kind === "async" ? async (_data) => void (await counted.runs++) : (_data) => void counted.runs++);
      } else if (kind === "sync") add(name, (data, reply) => reply(replyTo(data)));
      else if (kind === "async") add(name, async (data, reply) => (await counted.runs++, reply(replyTo(data))));
      else {
        add(name, (data, reply) => {
          const parsed = schema.safeParse(data);
          reply(parsed.success ? replyTo(parsed.data) : { error: { code: "INVALID_INPUT", message: "invalid input" } });
        });
      }
    }
    if (index === 0) for (const name of more) add(name, (data, reply) => reply(replyTo(data)));
    SocketController()(Controller);
    return Controller;
  });
  const instances = new Map(controllers.map((Controller) => [Controller, new Controller()]));
  const io = new Server(0, serverOptions);
  const container = { get: (target) => instances.get(target) };
  new SocketControllers({
    io,
    container,
    controllers,
    ...(transform ? {} : { transformOption: { transform: false } }),
  });
  return { port: io.httpServer.address().port };
}
