import { createServer, type Server as HttpServer } from "node:http";
import express, { Router } from "express";
import type { ServiceManager } from "socket-ingress";
import { eventTable } from "./event-table.js";
import { listen, portFromEnvironment } from "./listen.js";

/** Where a program is served: a web server, which it may share with others, and the path there that is its own. */
export interface Place {
  readonly httpServer: HttpServer;
  /** What answers below the path. */
  readonly web: Router;
  /** It begins and ends with a slash. */
  readonly path: string;
}

/** Makes a program, which is neither booted nor listens. */
export type MakeManager = (place?: Place) => ServiceManager<any> | Promise<ServiceManager<any>>;

/** A web server for one program alone. */
export function ownPlace(): Place {
  const web = Router();
  return { httpServer: createServer(express().use(web)), web, path: "/" };
}

/** Starts a program that has a web server to itself, at `PORT`. */
export async function startAlone(makeManager: MakeManager): Promise<void> {
  const port = portFromEnvironment();
  const place = ownPlace();
  const manager = await makeManager(place);
  await manager.boot();
  manager.shutdownOnSignals(); // SIGINT, SIGTERM: finish what runs, then close
  const url = await listen(place.httpServer, port);
  console.log(`${eventTable(manager.describe(), manager.ingress.timeoutMs)}\n\nlistening on ${url}`);
}
