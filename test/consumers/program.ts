// What a user writes on the server and in the browser; classes and client have to fit each other's types.
import { createServer } from "node:http";
import { Server } from "socket.io";
import { io as connect } from "socket.io-client";
import { Controller, EventError, Handler, ServiceManager } from "socket-ingress";
import type { ControllerHandler, EventContext, EventMap } from "socket-ingress";
import { createClient } from "socket-ingress/client";

interface ClientToServer {
  heartbeat(beat: { at: number }, reply: (r: { ok: true }) => void): void;
  message(text: string, reply: (r: { id: number }) => void): void;
}
interface ServerToClient {
  presence(who: string[]): void;
}
type App = Server<ClientToServer, ServerToClient, Record<string, never>, { user: string }>;

export class PresenceHandler extends Handler<App> {
  readonly name = "presence";
  readonly events = { heartbeat: "handleHeartbeat" } satisfies EventMap<PresenceHandler, App>;
  handleHeartbeat({ socket }: EventContext<App>, beat: { at: number }) {
    this.seen.set(socket.data.user, beat.at);
    return { ok: true as const };
  }
  private readonly seen = new Map<string, number>();
}

export class MissingMethod extends Handler<App> {
  readonly name = "missing";
  // @ts-expect-error no such method
  readonly events = { heartbeat: "noSuchMethod" } satisfies EventMap<MissingMethod, App>;
}

export class ChatController extends Controller<App> {
  readonly name = "chat";
  override buildEvents(handler: ControllerHandler<App>) {
    handler.on("message", this.onMessage, { priority: 50 });
  }
  private onMessage({ socket }: EventContext<App>, text: string) {
    if (text === "") throw new EventError("INVALID_INPUT", "say something");
    socket.broadcast.emit("presence", [socket.data.user]);
    return { id: text.length };
  }
}

export function main(): ServiceManager<App> {
  const io: App = new Server(createServer());
  return new ServiceManager<App>(io).registerHandler(new PresenceHandler()).registerController(new ChatController());
}

export async function page(): Promise<number> {
  const client = createClient<App>(connect());
  const { id } = await client.call("message", "hi");
  // @ts-expect-error the reply has no such member
  void (await client.call("message", "hi")).nothing;
  // What was given is a socket of socket.io-client, and still is one.
  client.socket.disconnect();
  return id;
}
