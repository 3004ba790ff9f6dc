/**
 * socket-controllers: controllers whose methods answer through `@MessageAck()`. The decorators are applied by hand, since there is one
 * method per fault. `@EmitOnFail` is left out: it answers nobody's acknowledgement, and would send the message of every error.
 */
import "reflect-metadata";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { Server, type Socket } from "socket.io";
import {
  ConnectedSocket,
  MessageAck,
  MessageBody,
  Middleware,
  OnConnect,
  OnDisconnect,
  OnMessage,
  SocketController,
  SocketControllers,
} from "socket-controllers";
// The package documents this decorator and does not export it.
import { UseInterceptor } from "socket-controllers/decorators/UseInterceptor.js";
import { Container } from "typedi";

import {
  connectFaults,
  connectionFaults,
  disconnectFaults,
  faults,
  interceptorFaults,
  slowConnect,
  type Tools,
} from "../../../test/adversarial/faults.ts";
import { delays, report, slowly } from "../../../test/adversarial/host.ts";

type Callback = (value?: unknown) => void;
type Method = (payload: unknown, ack: Callback, socket: Socket) => unknown;

const tools = (socket: Socket, payload?: unknown, reply?: Callback): Tools => ({
  ...delays,
  payload,
  ...(reply && { reply }),
  disconnect: () => socket.disconnect(true),
});

function add(target: object, event: string, method: Method): string {
  const key = event.replaceAll(/[^a-z0-9]/gi, "_");
  Object.defineProperty(target, key, { value: method, configurable: true });
  Reflect.defineMetadata("design:paramtypes", [Object, Function, Object], target, key);
  MessageBody()(target, key, 0);
  MessageAck()(target, key, 1);
  ConnectedSocket()(target, key, 2);
  OnMessage(event)(target, key);
  return key;
}

class Controller {}
add(Controller.prototype, "honest", (n, ack) => ack({ ok: (n as number) + 1 }));
add(Controller.prototype, "echo", (payload, ack) => ack(payload));
add(Controller.prototype, "slow", async (payload, ack) => {
  await slowly((payload as { ms: number }).ms);
  ack("slow");
});
for (const fault of faults) {
  const event = `fault:${fault.id}`;
  if (fault.needs === "reply")
    add(Controller.prototype, event, (payload, ack, socket) => fault.run(tools(socket, payload, ack)));
  else if (fault.async || fault.id.startsWith("thenable-")) {
    add(Controller.prototype, event, async (payload, ack, socket) => ack(await fault.run(tools(socket, payload))));
  } else add(Controller.prototype, event, (payload, ack, socket) => ack(fault.run(tools(socket, payload))));
}
// Interceptors see what the method returns, so here the method returns and the outermost interceptor acknowledges.
for (const { id, inside, run } of interceptorFaults) {
  const key = add(Controller.prototype, `wrap:${id}`, () => (inside ? inside() : "inside"));
  class Answering {
    async use(context: { ack?: Callback }, next: () => unknown): Promise<void> {
      context.ack?.(await next());
    }
  }
  class Faulty {
    use(_context: unknown, next: () => unknown): unknown {
      return run(next, { ...delays });
    }
  }
  Container.set(Answering, new Answering());
  Container.set(Faulty, new Faulty());
  UseInterceptor(Answering, Faulty)(Controller.prototype, key);
}
SocketController()(Controller);
Container.set(Controller, new Controller());

const controllers: Function[] = [Controller];
const middlewares: Function[] = [];
for (const { id, run } of [...connectFaults, { id: "slow", run: () => slowConnect({ slowly }) }]) {
  class Check {
    async use(_socket: Socket, next: (error?: unknown) => void): Promise<void> {
      if ((await run({ ...delays })) === false) next(new Error("refused"));
      else next();
    }
  }
  Middleware({ namespace: `/connect-${id}` })(Check);
  Container.set(Check, new Check());
  middlewares.push(Check);
  class Home {}
  add(Home.prototype, "honest", (n, ack) => ack({ ok: (n as number) + 1 }));
  SocketController(`/connect-${id}`)(Home);
  Container.set(Home, new Home());
  controllers.push(Home);
}
for (const { id, run } of connectionFaults) {
  class Told {
    connected(): unknown {
      return run({ ...delays });
    }
  }
  OnConnect()(Told.prototype, "connected");
  add(Told.prototype, "honest", (n, ack) => ack({ ok: (n as number) + 1 }));
  SocketController(`/connection-${id}`)(Told);
  Container.set(Told, new Told());
  controllers.push(Told);
}
for (const { id, run } of disconnectFaults) {
  class Left {
    disconnected(): unknown {
      return run({ ...delays });
    }
  }
  OnDisconnect()(Left.prototype, "disconnected");
  SocketController(`/disconnect-${id}`)(Left);
  Container.set(Left, new Left());
  controllers.push(Left);
}

const http = createServer();
const io = new Server(http);
new SocketControllers({ io, container: Container, controllers, middlewares });

http.listen(0, "127.0.0.1", () => {
  report(
    {
      port: (http.address() as AddressInfo).port,
      dialect: "plain",
      abilities: ["reply", "interceptor", "connect", "connection", "disconnect", "shutdown"],
    },
    { shutdown: () => io.close() },
  );
});
