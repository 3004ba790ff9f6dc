// npm start drawing, then open the address that it prints, in two windows.

import { createServer } from "node:http";
import express from "express";
import { Server } from "socket.io";
import { ServiceManager } from "socket-ingress";
import { Realtime } from "socket-ingress/realtime";
import { listen, portFromEnvironment } from "../page/listen.js";
import { servePage } from "../page/serve-page.js";
import type { App } from "./app.js";
import { BoardsController } from "./boards-controller.js";
import { PaintersHandler } from "./painters-handler.js";

const port = portFromEnvironment();
const page = await servePage(new URL("./public", import.meta.url), new URL("./browser/main.ts", import.meta.url));
const httpServer = createServer(express().use(page));
const io: App = new Server(httpServer);
const manager = new ServiceManager<App>(io)
  .registerHandler(new Realtime<App>({ user: ({ data }) => data.painter.id, presence: { graceMs: 500 } }))
  .registerHandler(new PaintersHandler())
  .registerController(new BoardsController());
await manager.boot();
manager.shutdownOnSignals();

console.log(`listening on ${await listen(httpServer, port)}`);
