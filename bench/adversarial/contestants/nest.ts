/**
 * NestJS 12: a gateway whose handlers return the answer, pipes for validation, interceptors, exception filters. The decorators are
 * applied by hand, since there is one handler per fault.
 */
import "reflect-metadata";
import {
  Catch,
  Module,
  UseFilters,
  UseInterceptors,
  UsePipes,
  type CallHandler,
  type ExecutionContext,
} from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { IoAdapter } from "@nestjs/platform-socket.io";
import {
  Ack,
  BaseWsExceptionFilter,
  ConnectedSocket,
  MessageBody,
  SubscribeMessage,
  WebSocketGateway,
  WsException,
} from "@nestjs/websockets";
import { firstValueFrom, from } from "rxjs";
import type { Namespace, Socket } from "socket.io";
import { z } from "zod";

import {
  connectFaults,
  connectionFaults,
  disconnectFaults,
  errorHookFaults,
  faults,
  interceptorFaults,
  schemaFaults,
  secret,
  slowConnect,
  type Tools,
} from "../../../test/adversarial/faults.ts";
import { delays, report, slowly } from "../../../test/adversarial/host.ts";

const tools = (socket: Socket, payload?: unknown, reply?: (value?: unknown) => void): Tools => ({
  ...delays,
  payload,
  ...(reply && { reply }),
  refuse: (code, message, details) => {
    throw new WsException({ code, message, details });
  },
  disconnect: () => socket.disconnect(true),
});

type Method = (payload: unknown, socket: Socket, ack: (value?: unknown) => void) => unknown;

/** A gateway with one method per event, as `@SubscribeMessage(event) method(@MessageBody() ..., @ConnectedSocket() ...)` would make it. */
class Gateway {}

function subscribe(
  event: string,
  method: Method,
  options: { manual?: boolean; decorate?: MethodDecorator[] } = {},
): void {
  const key = event.replaceAll(/[^a-z0-9]/gi, "_");
  Object.defineProperty(Gateway.prototype, key, {
    value: method,
    writable: true,
    configurable: true,
    enumerable: false,
  });
  const descriptor = Object.getOwnPropertyDescriptor(Gateway.prototype, key)!;
  MessageBody()(Gateway.prototype, key, 0);
  ConnectedSocket()(Gateway.prototype, key, 1);
  if (options.manual) Ack()(Gateway.prototype, key, 2);
  for (const decorate of options.decorate ?? []) decorate(Gateway.prototype, key, descriptor);
  SubscribeMessage(event)(Gateway.prototype, key, descriptor);
}

subscribe("honest", (n) => ({ ok: (n as number) + 1 }));
subscribe("echo", (payload) => payload);
subscribe("slow", async (payload) => {
  await slowly((payload as { ms: number }).ms);
  return "slow";
});
for (const fault of faults) {
  if (fault.needs === "reply")
    subscribe(`fault:${fault.id}`, (p, s, ack) => fault.run(tools(s, p, ack)), { manual: true });
  else if (fault.async) subscribe(`fault:${fault.id}`, async (p, s) => fault.run(tools(s, p)));
  else subscribe(`fault:${fault.id}`, (p, s) => fault.run(tools(s, p)));
}

class ZodPipe {
  readonly validate: (value: unknown) => unknown;
  constructor(validate: (value: unknown) => unknown) {
    this.validate = validate;
  }
  async transform(value: unknown, metadata: { type: string }): Promise<unknown> {
    if (metadata.type !== "body") return value;
    const result = (await this.validate(value)) as { value?: unknown; issues?: unknown };
    if (result.issues) throw new WsException({ code: "INVALID_INPUT", issues: result.issues });
    return result.value;
  }
}

const text = z.object({ text: z.string().max(1_000), n: z.number() }).strict();
subscribe("typed", (payload) => ({ said: (payload as { text: string }).text }), {
  decorate: [
    UsePipes(
      new ZodPipe((value) => {
        const parsed = text.safeParse(value);
        return parsed.success ? { value: parsed.data } : { issues: parsed.error.issues };
      }),
    ) as MethodDecorator,
  ],
});
for (const { id, validate } of schemaFaults) {
  subscribe(`check:${id}`, (payload) => payload, {
    decorate: [UsePipes(new ZodPipe((value) => validate(value, { ...delays }))) as MethodDecorator],
  });
}
for (const { id, inside, run } of interceptorFaults) {
  const interceptor = {
    intercept: (_context: ExecutionContext, next: CallHandler) =>
      from((async () => run(() => firstValueFrom(next.handle()), { ...delays }))()),
  };
  subscribe(`wrap:${id}`, () => (inside ? inside() : "inside"), {
    decorate: [UseInterceptors(interceptor) as MethodDecorator],
  });
}
for (const { id, run } of errorHookFaults) {
  class Filter extends BaseWsExceptionFilter {
    override catch(): unknown {
      return run({ ...delays });
    }
  }
  Catch()(Filter);
  subscribe(
    `hook:${id}`,
    () => {
      throw new Error(secret);
    },
    { decorate: [UseFilters(new Filter()) as MethodDecorator] },
  );
}
WebSocketGateway({ transports: ["websocket"] })(Gateway);

const gateways: (new () => object)[] = [Gateway];
for (const { id, run } of connectFaults) {
  class Checked {
    afterInit(namespace: Namespace): void {
      namespace.use(async (_socket, next) => {
        if ((await run({ ...delays, refuse: tools({} as Socket).refuse! })) === false) next(new Error("refused"));
        else next();
      });
    }
  }
  WebSocketGateway({ namespace: `/connect-${id}` })(Checked);
  gateways.push(Checked);
}
class SlowlyChecked {
  afterInit(namespace: Namespace): void {
    namespace.use((_socket, next) => void slowConnect({ slowly }).then(() => next()));
  }
}
WebSocketGateway({ namespace: "/connect-slow" })(SlowlyChecked);
gateways.push(SlowlyChecked);
for (const { id, run } of connectionFaults) {
  class Told {
    handleConnection(): unknown {
      return run({ ...delays });
    }
    honest(n: number): unknown {
      return { ok: n + 1 };
    }
  }
  MessageBody()(Told.prototype, "honest", 0);
  SubscribeMessage("honest")(Told.prototype, "honest", Object.getOwnPropertyDescriptor(Told.prototype, "honest")!);
  WebSocketGateway({ namespace: `/connection-${id}` })(Told);
  gateways.push(Told);
}
for (const { id, run } of disconnectFaults) {
  class Left {
    handleDisconnect(): unknown {
      return run({ ...delays });
    }
  }
  WebSocketGateway({ namespace: `/disconnect-${id}` })(Left);
  gateways.push(Left);
}

class App {}
Module({ providers: gateways })(App);

const app = await NestFactory.create(App, { logger: false, abortOnError: false });
app.useWebSocketAdapter(new IoAdapter(app));
await app.listen(0, "127.0.0.1");

report(
  {
    port: (app.getHttpServer() as { address(): { port: number } }).address().port,
    dialect: "plain",
    abilities: [
      "reply",
      "refuse",
      "interceptor",
      "connect",
      "connection",
      "disconnect",
      "schema",
      "typed",
      "error-hook",
      "shutdown",
    ],
  },
  { shutdown: () => app.close() },
);
