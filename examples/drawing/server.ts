// node --import tsx examples/drawing/server.ts, then open the address that it prints, in two windows.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import express from "express";
import { Server } from "socket.io";
import { ServiceManager } from "socket-ingress";
import { Realtime } from "socket-ingress/realtime";
import { servePage } from "../serve-page.js";
import type { App } from "./app.js";
import { BoardsController } from "./boards-controller.js";
import { PaintersHandler } from "./painters-handler.js";

const page = await servePage(new URL("./public", import.meta.url), new URL("./browser/main.ts", import.meta.url));
const httpServer = createServer(express().use(page));
const io: App = new Server(httpServer);
const manager = new ServiceManager<App>(io)
  .registerHandler(new Realtime<App>({ user: ({ data }) => data.painter.id, presence: { graceMs: 500 } }))
  .registerHandler(new PaintersHandler())
  .registerController(new BoardsController());
await manager.boot();
manager.shutdownOnSignals();

httpServer.listen(Number(process.env["PORT"] ?? 3000), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${(httpServer.address() as AddressInfo).port}`);
});
