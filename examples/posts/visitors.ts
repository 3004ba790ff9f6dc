import { randomUUID } from "node:crypto";
import express, { type Router } from "express";
import { type Realtime, session } from "socket-ingress/realtime";
import { z } from "zod";
import { type App, AUTHORS } from "./app.js";

/** Who sits at a browser: one of the authors, by their word; this program has no passwords. */
export interface Visitor {
  name: (typeof AUTHORS)[number];
  /** The browser session, which all of its tabs share. */
  session: string;
}

const body = z.object({ name: z.enum(AUTHORS) });
const cookie = /(?:^|;\s*)visitor=([\da-f-]{36})\.(\w+)/;

/** Reads the cookie: the same for a route, a socket and a plain client. A terminal without one is nobody. */
export function visitorOf({ headers }: { headers: { cookie?: string | undefined } }): Visitor | undefined {
  const [, id = "", said] = cookie.exec(headers.cookie ?? "") ?? [];
  const name = AUTHORS.find((each) => each === said);
  return name && { name, session: id };
}

/** Gives a cookie to every browser that opens the page, and lets it say who it is. */
export function visitorRoutes(realtime: Realtime<App>): Router {
  let count = 0;
  const toCookie = ({ name, session: id }: Visitor): [string, string, express.CookieOptions] => [
    "visitor",
    `${id}.${name}`,
    { httpOnly: true, sameSite: "lax", maxAge: 365 * 86_400_000 },
  ];
  const next = (): Visitor["name"] => AUTHORS[count++ % AUTHORS.length] ?? AUTHORS[0];

  return express
    .Router()
    .get("/", (request, response, proceed) => {
      if (visitorOf(request) === undefined) response.cookie(...toCookie({ name: next(), session: randomUUID() }));
      proceed();
    })
    .get("/me", (request, response) => void response.json({ name: visitorOf(request)?.name ?? null }))
    .put("/me", express.json({ limit: "1kb" }), (request, response) => {
      const { data } = body.safeParse(request.body);
      if (data === undefined) return void response.status(400).json({ message: "nobody is called that" });
      const id = visitorOf(request)?.session ?? randomUUID();
      // Behind the answer: the other tabs come back with the cookie that it sets.
      response.once("finish", () => void realtime.emitSocket("becameSomebody", data.name, session(id)));
      response.cookie(...toCookie({ name: data.name, session: id })).json(data);
    });
}
