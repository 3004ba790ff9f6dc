import type { IncomingMessage, ServerResponse } from "node:http";
import { SignJWT } from "jose";

interface Account {
  name: string;
  password: string;
  role: "agent" | "customer";
}

/** A database, in real life. */
export const accounts = new Map<string, Account>([
  ["ada", { name: "Ada", password: "lace", role: "customer" }],
  ["bob", { name: "Bob", password: "brick", role: "customer" }],
  ["grace", { name: "Grace", password: "moth", role: "agent" }],
]);

export function tokenFor(user: string, secret: string): Promise<string> {
  return new SignJWT({ sid: `${user}-${Date.now()}` })
    .setProtectedHeader({ alg: "HS256" })
    .setSubject(user)
    .setIssuedAt()
    .setExpirationTime("10m")
    .sign(new TextEncoder().encode(secret));
}

/** POST /sign-in with `{ user, password }`: 200 with a token, or 401. */
export async function signIn(request: IncomingMessage, response: ServerResponse, secret: string): Promise<void> {
  let body = "";
  for await (const chunk of request) body += String(chunk);
  const { user, password } = JSON.parse(body) as { user: string; password: string };
  if (accounts.get(user)?.password !== password) {
    response.writeHead(401).end();
    return;
  }
  response.end(await tokenFor(user, secret));
}
