// What one half of a program makes, the other takes: there is one set of types for servers.
import { Server } from "socket.io";
import { ServiceManager } from "socket-ingress";
import { type App, PingHandler } from "./program.cjs";

export const manager: ServiceManager<App> = new ServiceManager<App>(new Server()).registerHandler(new PingHandler());
