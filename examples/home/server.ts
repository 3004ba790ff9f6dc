import { Router } from "express";
import { Server } from "socket.io";
import { Service, ServiceManager } from "socket-ingress";
import { Realtime } from "socket-ingress/realtime";
import { ownPlace, type Place } from "../page/place.js";
import { servePage } from "../page/serve-page.js";
import * as chat from "../chat/server.js";
import * as drawing from "../drawing/server.js";
import * as market from "../market/server.js";
import * as notes from "../notes/server.js";
import * as posts from "../posts/server.js";
import type { App } from "./app.js";
import { EventsService, type Running } from "./events-service.js";

const programs = [
  {
    name: "chat",
    title: "Chat",
    about: "Rooms with presence and typing, tokens that are refreshed in place, limits, and a bad actor.",
    ...chat,
  },
  {
    name: "market",
    title: "Double auction",
    about: "A group that waits until it is complete, trades by live calls, and copes with dropouts.",
    ...market,
  },
  {
    name: "drawing",
    title: "Drawing",
    about: "Strokes and cursors of many, of which only the latest counts; a snapshot for who comes late.",
    ...drawing,
  },
  {
    name: "posts",
    title: "Posts",
    about: "Records in a database and lists that follow them, notifications, exports as jobs, plain clients.",
    ...posts,
  },
  {
    name: "notes",
    title: "Notes",
    about: "Documents that many edit at once, with carets and names, saved, offline and back.",
    ...notes,
  },
];

/** Starts and ends the programs with the page that shows them. */
class ProgramsService extends Service {
  readonly name = "programs";
  private readonly managers: readonly ServiceManager<any>[];

  constructor(running: readonly Running[]) {
    super();
    this.managers = running.map(({ manager }) => manager);
  }

  override async onStart() {
    await Promise.all(this.managers.map((manager) => manager.boot()));
  }

  // All at once: each waits for the end of the web server, which has the connections of the others, too.
  override async onStop() {
    await Promise.all(this.managers.map((manager) => manager.shutdown()));
  }
}

/** Makes the start page and all programs, each below a path of its own; neither booted nor listening. */
export async function makeManager(place: Place = ownPlace()): Promise<ServiceManager<App>> {
  const { httpServer, web, path } = place;
  httpServer.setMaxListeners(0); // each program adds its own
  const running = await Promise.all(
    programs.map(async ({ makeManager: make, ...program }): Promise<Running> => {
      const own = Router();
      web.use(`/${program.name}`, own);
      return { ...program, manager: await make({ httpServer, web: own, path: `${path}${program.name}/` }) };
    }),
  );
  web.use(await servePage(new URL("./public", import.meta.url), new URL("./browser/main.ts", import.meta.url)));

  const io: App = new Server(httpServer, { path: `${path}socket.io` });
  const realtime = new Realtime<App>();
  return new ServiceManager<App>(io)
    .registerHandler(realtime)
    .registerService(new EventsService(realtime, running))
    .registerService(new ProgramsService(running));
}
