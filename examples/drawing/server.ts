import { Server } from "socket.io";
import { ServiceManager } from "socket-ingress";
import { Realtime } from "socket-ingress/realtime";
import { ownPlace } from "../page/place.js";
import { servePage } from "../page/serve-page.js";
import type { App } from "./app.js";
import { BoardsController } from "./boards-controller.js";
import { PaintersHandler } from "./painters-handler.js";

/** Makes the program; neither booted nor listening. */
export async function makeManager({ httpServer, web, path } = ownPlace()): Promise<ServiceManager<App>> {
  web.use(await servePage(new URL("./public", import.meta.url), new URL("./browser/main.ts", import.meta.url)));
  const io: App = new Server(httpServer, { path: `${path}socket.io` });
  const realtime = new Realtime<App>({ user: ({ data }) => data.painter.id, presence: { graceMs: 500 } });
  return new ServiceManager<App>(io)
    .registerHandler(realtime)
    .registerHandler(new PaintersHandler())
    .registerController(new BoardsController(realtime));
}
