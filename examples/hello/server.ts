import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Server } from "socket.io";
import { EventError, type EventContext, type EventMap, Handler, ServiceManager } from "socket-ingress";

interface ClientToServer {
  greet(name: string, reply: (greeting: { text: string; visits: number }) => void): void;
}
type App = Server<ClientToServer>;

class GreetingHandler extends Handler<App> {
  readonly name = "greeting";
  readonly events = {
    greet: "handleGreet",
    disconnect: this.handleDisconnect,
  } satisfies EventMap<GreetingHandler, App>;
  private readonly visits = new Map<string, number>();

  handleGreet({ socket }: EventContext<App>, name: string) {
    if (typeof name !== "string") throw new EventError("INVALID_INPUT", "a name, please");
    const visits = (this.visits.get(socket.id) ?? 0) + 1;
    this.visits.set(socket.id, visits);
    return { text: `Hello ${name}!`, visits }; // the caller's reply
  }

  handleDisconnect({ socket }: EventContext<App>) {
    this.visits.delete(socket.id);
  }
}

const httpServer = createServer();
const io: App = new Server(httpServer);
const manager = new ServiceManager(io).registerHandler(new GreetingHandler());
await manager.boot();
manager.shutdownOnSignals();
httpServer.listen(Number(process.env["PORT"] ?? 3000), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${(httpServer.address() as AddressInfo).port}`);
});
