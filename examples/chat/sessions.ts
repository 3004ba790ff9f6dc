/* oxlint-disable oxc/no-async-endpoint-handlers -- Express 5 hands on what a handler rejects with */
import { randomBytes } from "node:crypto";
import { promisify } from "node:util";
import express, { type Request, type Router } from "express";
import session from "express-session";
import type { Socket } from "socket.io";
import { type Realtime, user } from "socket-ingress/realtime";
import { type App, userName } from "./app.js";

declare module "express-session" {
  interface SessionData {
    user: string;
  }
}

/** One browser, one session: its cookie is out of reach of scripts, its id never leaves the server otherwise. */
export const sessions = session({
  secret: process.env["SESSION_SECRET"] ?? randomBytes(32).toString("hex"),
  cookie: { httpOnly: true, sameSite: "lax" },
  resave: false,
  saveUninitialized: true,
});

/** The session of a socket, once `io.engine.use(sessions)` has seen its request. */
export function sessionOf(socket: Pick<Socket, "request">): Request["session"] {
  return (socket.request as Request).session;
}

/** Sign in and out over HTTP, where cookies can be set. All tabs of the browser hear of it, on the sockets they have. */
export function signInRoutes(realtime: Realtime<App>): Router {
  async function becomes(request: Request, name: string | undefined): Promise<void> {
    const before = request.sessionID;
    await promisify(request.session.regenerate.bind(request.session))(); // a new id at every login
    if (name !== undefined) request.session.user = name;
    await promisify(request.session.save.bind(request.session))();
    await realtime.rotateSession(before, request.sessionID);
    for (const socket of realtime.io?.sockets.sockets.values() ?? []) {
      if (realtime.identify(socket).session === request.sessionID) await realtime.setUser(socket, name);
    }
    await realtime.emitSocket("identity", { name: name ?? null }, { sessionId: request.sessionID });
  }

  return express
    .Router()
    .use(express.json())
    .post("/sign-in", async (request, response) => {
      const { data: name, error } = userName.safeParse((request.body as { name?: unknown } | undefined)?.name);
      if (error) return void response.status(400).json({ message: error.issues[0]?.message });
      if ((await realtime.count(user(name))).sockets > 0) {
        return void response.status(409).json({ message: `${name} is here already` });
      }
      await becomes(request, name);
      response.json({ name });
    })
    .post("/sign-out", async (request, response) => {
      await becomes(request, undefined);
      response.json({ name: null });
    });
}
