import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import express from "express";
import { Server } from "socket.io";
import { ServiceManager } from "socket-ingress";
import type { App } from "./app.js";
import { FaultsHandler } from "./faults-handler.js";
import { ModerationHandler } from "./moderation-handler.js";
import { RoomController } from "./room-controller.js";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

// The page, bundled once at the start: nothing comes from elsewhere.
const { outputFiles } = await build({ entryPoints: [here("browser/main.ts")], bundle: true, format: "esm", write: false });
const web = express()
  .get("/main.js", (_request, response) => void response.type("js").send(outputFiles[0]?.text))
  .use(express.static(here("public")));

const httpServer = createServer(web);
const io: App = new Server(httpServer);
const manager = new ServiceManager<App>(io)
  .registerHandler(new ModerationHandler())
  .registerHandler(new FaultsHandler())
  .registerController(new RoomController());
await manager.boot();
manager.shutdownOnSignals(); // SIGINT, SIGTERM: finish what runs, then close

const rows = manager.describe().events.map(({ event, namespace, order, handler, method }) => {
  return { event, namespace, order, runs: `${handler}.${method}` };
});
console.table(rows);
httpServer.listen(Number(process.env["PORT"] ?? 3000), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${(httpServer.address() as AddressInfo).port}`);
});
