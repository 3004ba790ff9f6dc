// The same package from a CommonJS file of a program that has ES modules, too.
import type { Server } from "socket.io";
import { Handler, type EventContext, type EventMap } from "socket-ingress";
import { createClient, EventFailure } from "socket-ingress/client";
import type { Socket } from "socket.io-client";

interface ClientToServer {
  ping(reply: (r: "pong") => void): void;
}
export type App = Server<ClientToServer>;

export class PingHandler extends Handler<App> {
  readonly name = "ping";
  readonly events = { ping: "onPing" } satisfies EventMap<PingHandler, App>;
  onPing(_context: EventContext<App>) {
    return "pong" as const;
  }
}

export async function ping(socket: Socket): Promise<"pong" | EventFailure> {
  const client = createClient<App>(socket);
  try {
    return await client.call("ping");
  } catch (error) {
    if (error instanceof EventFailure) return error;
    throw error;
  } finally {
    client.socket.disconnect();
  }
}
