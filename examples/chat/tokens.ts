import { randomBytes } from "node:crypto";
import express, { type Router } from "express";
import { SignJWT } from "jose";
import { Auth } from "socket-ingress/auth";
import type { App } from "./app.js";

const secret = randomBytes(32);
const ISSUER = "the chat";

/** Some minutes; a test says less. */
const LIFE_MS = Number(process.env["TOKEN_LIFE_MS"] ?? 5 * 60_000);

/** Who comes in: whoever has a token of ours, and guests, who may look at the list of rooms. */
export const auth = new Auth<App>({ secret, issuer: ISSUER, optional: true });

/** A token of somebody who has signed in; `login` is what ends with the sign-out. */
export function issue(user: string, login: string, lifeMs = LIFE_MS): Promise<string> {
  return new SignJWT({ sid: login, iat: Date.now() / 1_000, exp: (Date.now() + lifeMs) / 1_000 })
    .setProtectedHeader({ alg: "HS256" })
    .setIssuer(ISSUER)
    .setSubject(user)
    .sign(secret);
}

/** Tokens, over HTTP, for the browser session that asks: scripts have one for minutes, and never the session itself. */
export function tokenRoutes(): Router {
  return (
    express
      .Router()
      .post("/token", async ({ session: { user, login } }, response) => {
        if (user === undefined || login === undefined) return void response.status(204).end(); // a guest
        response.type("text").send(await issue(user, login));
      })
      // What a thief may come by: a token from an old log, and one whose owner has signed out since.
      .get("/loot", async (_request, response) => {
        const [expired, stolen] = await Promise.all([issue("Ada", "long ago", -60_000), issue("Ada", "signed out")]);
        await auth.revoke({ session: "signed out" });
        response.json({ expired, stolen });
      })
  );
}
