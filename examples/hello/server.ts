import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Server } from "socket.io";
import { EventError, type EventContext, type EventMap, Handler, ServiceManager } from "socket-ingress";

interface ClientToServer {
  greet(name: string, reply: (greeting: { text: string; visits: number }) => void): void;
}
type App = Server<ClientToServer, Record<string, never>, Record<string, never>, { visits?: number }>;

class GreetingHandler extends Handler<App> {
  readonly name = "greeting";
  readonly events = { greet: "handleGreet" } satisfies EventMap<GreetingHandler, App>;

  handleGreet({ socket }: EventContext<App>, name: string) {
    if (typeof name !== "string") throw new EventError("INVALID_INPUT", "a name, please");
    socket.data.visits = (socket.data.visits ?? 0) + 1;
    return { text: `Hello ${name}!`, visits: socket.data.visits }; // the caller's reply
  }
}

const httpServer = createServer();
const manager = new ServiceManager<App>(new Server(httpServer)).registerHandler(new GreetingHandler());
await manager.boot();
manager.shutdownOnSignals();
httpServer.listen(Number(process.env["PORT"] ?? 3000), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${(httpServer.address() as AddressInfo).port}`);
});
