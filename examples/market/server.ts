// npm start market, then open the address that it prints, in two windows.

import { createServer } from "node:http";
import express from "express";
import { Server } from "socket.io";
import { ServiceManager } from "socket-ingress";
import { Realtime } from "socket-ingress/realtime";
import { listen, portFromEnvironment } from "../page/listen.js";
import { servePage } from "../page/serve-page.js";
import { numberFrom } from "../page/settings.js";
import type { App } from "./app.js";
import { FloorController } from "./floor-controller.js";
import { TradersHandler } from "./traders-handler.js";

const port = portFromEnvironment();
const size = numberFrom("MARKET_SIZE", 2, [2, 100]);
const dropoutMs = numberFrom("DROPOUT_MS", 10_000, [1, 3_600_000]);

const page = await servePage(new URL("./public", import.meta.url), new URL("./browser/main.ts", import.meta.url));
const httpServer = createServer(express().use(page));
const io: App = new Server(httpServer);
const manager = new ServiceManager<App>(io)
  .registerHandler(new Realtime<App>({ user: ({ data }) => data.name }))
  .registerHandler(new TradersHandler())
  .registerController(new FloorController({ size, dropoutMs }));
await manager.boot();
manager.shutdownOnSignals();

console.log(`listening on ${await listen(httpServer, port)}`);
