import { Server } from "socket.io";
import { ServiceManager } from "socket-ingress";
import { Realtime } from "socket-ingress/realtime";
import { ownPlace } from "../page/place.js";
import { servePage } from "../page/serve-page.js";
import { numberFrom } from "../page/settings.js";
import type { App } from "./app.js";
import { FloorController } from "./floor-controller.js";
import { TradersHandler } from "./traders-handler.js";

/** Makes the program; neither booted nor listening. */
export async function makeManager({ httpServer, web, path } = ownPlace()): Promise<ServiceManager<App>> {
  const size = numberFrom("MARKET_SIZE", 2, [2, 100]);
  const dropoutMs = numberFrom("DROPOUT_MS", 10_000, [1, 3_600_000]);
  web.use(await servePage(new URL("./public", import.meta.url), new URL("./browser/main.ts", import.meta.url)));
  const io: App = new Server(httpServer, { path: `${path}socket.io` });
  return new ServiceManager<App>(io)
    .registerHandler(new Realtime<App>({ user: ({ data }) => data.name }))
    .registerHandler(new TradersHandler())
    .registerController(new FloorController({ size, dropoutMs }));
}
