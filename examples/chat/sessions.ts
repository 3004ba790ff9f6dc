/* oxlint-disable oxc/no-async-endpoint-handlers -- Express 5 hands on what a handler rejects with */
import { randomBytes, randomUUID } from "node:crypto";
import { promisify } from "node:util";
import express, {
  type ErrorRequestHandler,
  type Request,
  type RequestHandler,
  type Response,
  type Router,
} from "express";
import session from "express-session";
import type { Socket } from "socket.io";
import { type Realtime, user } from "socket-ingress/realtime";
import { type App, userName } from "./app.js";
import { auth, issue } from "./tokens.js";

declare module "express-session" {
  interface SessionData {
    user: string;
    /** This sign-in, as its tokens name it. */
    login: string;
  }
}

/** One browser, one session: its cookie is out of reach of scripts, its id never leaves the server otherwise. */
export const sessions = session({
  secret: process.env["SESSION_SECRET"] ?? randomBytes(32).toString("hex"),
  cookie: { httpOnly: true, sameSite: "lax" },
  resave: false,
  saveUninitialized: true,
});

/**
 * The same for `io.engine.use`. express-session saves a new session when the response ends, and a WebSocket's never does:
 * the browser would come back with a cookie that nobody knows. After a restart of the server that is so for every page.
 */
export const handshakeSessions: RequestHandler = (request, response, next) =>
  sessions(request, response, (error) => {
    const isKnown = request.headers.cookie?.includes(request.sessionID) === true;
    if (error || isKnown) return next(error);
    request.session.save(next);
  });

/** The session of a socket, once {@link handshakeSessions} has seen its request. */
export function sessionOf(socket: Pick<Socket, "request">): Request["session"] {
  return (socket.request as Request).session;
}

/** What can't be read is answered as what is refused is, without a stack. */
const unreadable: ErrorRequestHandler = (_error, _request, response, _next) => {
  response.status(400).json({ message: "this could not be read" });
};

/**
 * Sign in and out over HTTP, where cookies can be set. All tabs of the browser hear of it: after a sign-in each gets a token and goes on
 * with the socket it has; a sign-out ends these sockets, and the tabs come back as guests.
 */
export function signInRoutes(realtime: Realtime<App>): Router {
  async function becomes(request: Request, response: Response, name: string | undefined): Promise<void> {
    const before = request.sessionID;
    const { login } = request.session;
    await promisify(request.session.regenerate.bind(request.session))(); // a new id at every login
    const next = randomUUID();
    if (name !== undefined) Object.assign(request.session, { user: name, login: next });
    await promisify(request.session.save.bind(request.session))();
    await realtime.rotateSession(before, request.sessionID);
    // Behind the answer: those who are ended come back with the cookie that it sets.
    if (login !== undefined)
      response.once("finish", () => void auth.revoke({ session: login }, { message: "you have signed out" }));
    if (name === undefined) return;
    // That cookie is still to come, so the tabs could not ask for a token yet.
    const token = await issue(name, next);
    await realtime.emitSocket("identity", { name, token }, { sessionId: request.sessionID });
  }

  return express
    .Router()
    .use(express.json(), unreadable)
    .post("/sign-in", async (request, response) => {
      const { data: name, error } = userName.safeParse((request.body as { name?: unknown } | undefined)?.name);
      if (error) return void response.status(400).json({ message: error.issues[0]?.message });
      if ((await realtime.count(user(name))).sockets > 0) {
        return void response.status(409).json({ message: `${name} is here already` });
      }
      await becomes(request, response, name);
      response.json({ name });
    })
    .post("/sign-out", async (request, response) => {
      await becomes(request, response, undefined);
      response.json({ name: null });
    });
}
