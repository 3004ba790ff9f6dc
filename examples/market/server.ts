// node --import tsx examples/market/server.ts, then open the address that it prints, in two windows.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import express from "express";
import { Server } from "socket.io";
import { ServiceManager } from "socket-ingress";
import { Realtime } from "socket-ingress/realtime";
import { servePage } from "../serve-page.js";
import type { App } from "./app.js";
import { FloorController } from "./floor-controller.js";
import { TradersHandler } from "./traders-handler.js";

const { PORT = "3000", MARKET_SIZE = "2", DROPOUT_MS = "10000" } = process.env;

const page = await servePage(new URL("./public", import.meta.url), new URL("./browser/main.ts", import.meta.url));
const httpServer = createServer(express().use(page));
const io: App = new Server(httpServer);
const manager = new ServiceManager<App>(io)
  .registerHandler(new Realtime<App>({ user: ({ data }) => data.name }))
  .registerHandler(new TradersHandler())
  .registerController(new FloorController({ size: Number(MARKET_SIZE), dropoutMs: Number(DROPOUT_MS) }));
await manager.boot();
manager.shutdownOnSignals();

httpServer.listen(Number(PORT), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${(httpServer.address() as AddressInfo).port}`);
});
