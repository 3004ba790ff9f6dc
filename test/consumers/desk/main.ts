import { createServer } from "node:http";
import { Server } from "socket.io";
import { signIn } from "./accounts.js";
import type { App } from "./app.js";
import { createDesk } from "./desk.js";

const secret = process.env["SECRET"] ?? "a secret of thirty-two bytes or more";
const httpServer = createServer((request, response) => {
  if (request.method === "POST" && request.url === "/sign-in") void signIn(request, response, secret);
  else if (request.url === "/health") response.end(manager.health().status);
  else response.writeHead(404).end();
});
const io: App = new Server(httpServer);
const manager = createDesk(io, secret);
await manager.boot();
manager.shutdownOnSignals();
httpServer.listen(Number(process.env["PORT"] ?? 3000));
