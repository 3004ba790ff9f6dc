// The clients of the test kit are those that the rest of a program knows. socket.io-client has two sets of types that do not fit
// each other, and this is the one of ES modules.
import type { Server } from "socket.io";
import type { Socket } from "socket.io-client";
import { createClient } from "socket-ingress/client";
import { inMemory } from "socket-ingress/testing";

interface ClientToServer {
  ping(reply: (r: "pong") => void): void;
}
interface ServerToClient {
  news(text: string): void;
}
type App = Server<ClientToServer, ServerToClient>;

export async function tested(io: App): Promise<Socket<ServerToClient, ClientToServer>> {
  const app = await inMemory<App>(io);
  const socket = await app.connect();
  createClient<App>(socket).socket.disconnect();
  return socket;
}
