/** NestJS 12 with platform-socket.io: a gateway per subscriber, the last one's returned value is the acknowledgement. */
import { Module } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { IoAdapter } from "@nestjs/platform-socket.io";
import { MessageBody, SubscribeMessage, WebSocketGateway } from "@nestjs/websockets";
import { z } from "zod4";
import { addMethod } from "./decorate.mjs";
import { counted, payloadSchema, replyTo, serverOptions } from "../load/workload.mjs";

const schema = payloadSchema(z);

/** A pipe as Nest's documentation writes one for zod. */
const zodPipe = {
  transform(value) {
    return schema.parse(value);
  },
};

/** Starts the server and resolves to its port. */
export async function start({ events, more = [] }) {
  const most = Math.max(1, ...events.map(({ subscribers }) => subscribers));
  const gateways = Array.from({ length: most }, (_, index) => {
    const Gateway = { [`Gateway${index}`]: class {} }[`Gateway${index}`];
    for (const { name, kind, subscribers } of events) {
      if (index >= subscribers) continue;
      const answers = index === subscribers - 1;
      const method = !answers
        ? kind === "async"
          ? async () => void (await counted.runs++)
          : () => void counted.runs++
        : kind === "async"
          ? async (data) => (await counted.runs++, replyTo(data))
          : (data) => replyTo(data);
      addMethod(
        Gateway,
        name,
        method,
        [SubscribeMessage(name)],
        [kind === "schema" ? MessageBody(zodPipe) : MessageBody()],
      );
    }
    if (index === 0)
      for (const name of more)
        addMethod(Gateway, name, (data) => replyTo(data), [SubscribeMessage(name)], [MessageBody()]);
    WebSocketGateway()(Gateway);
    return Gateway;
  });
  class AppModule {}
  Module({ providers: gateways })(AppModule);
  const app = await NestFactory.create(AppModule, { logger: false });
  class Adapter extends IoAdapter {
    createIOServer(port, options) {
      return super.createIOServer(port, { ...options, ...serverOptions });
    }
  }
  app.useWebSocketAdapter(new Adapter(app));
  await app.listen(0);
  return { port: app.getHttpServer().address().port };
}
