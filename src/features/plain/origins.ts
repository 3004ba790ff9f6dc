import type { IncomingMessage, ServerResponse } from "node:http";
import type { AppServer } from "../../events/subscriber.js";
import { isObject } from "../../wire/values.js";
import type { Origins } from "./plain-options.js";

/** What is allowed to pages of an origin: `own` is the server's own, or no page at all. */
export type OriginVerdict = "own" | "any" | "named" | "refused";

/** Looks where a request comes from. */
export function verdictOn(request: IncomingMessage, io: AppServer, origins: Origins | undefined): OriginVerdict {
  const { origin, host = request.headers[":authority"] } = request.headers;
  if (origin === undefined || isOwn(origin, host)) return "own";
  const allowed = [origins ?? originsOf(io)].flat();
  if (allowed.includes("*")) return "any";
  return allowed.some((one) => fits(one, origin)) ? "named" : "refused";
}

/** Says to a browser who may read the answer. A middleware that has said so already is left alone. */
export function sayOrigin(request: IncomingMessage, response: ServerResponse, verdict: OriginVerdict): void {
  if (response.hasHeader("access-control-allow-origin")) return;
  if (verdict === "any") response.setHeader("access-control-allow-origin", "*");
  if (verdict !== "named") return;
  response.setHeader("access-control-allow-origin", String(request.headers.origin));
  response.setHeader("access-control-allow-credentials", "true");
  response.setHeader("vary", [response.getHeader("vary") ?? [], "origin"].flat().join(", "));
}

/** Answers an OPTIONS request. */
export function answerOptions(response: ServerResponse): void {
  response.statusCode = 204;
  response.setHeader("allow", "GET, HEAD, OPTIONS");
  if (response.hasHeader("access-control-allow-origin")) {
    response.setHeader("access-control-allow-methods", "GET, HEAD");
    response.setHeader("access-control-allow-headers", "authorization, cache-control, last-event-id");
    response.setHeader("access-control-max-age", "600");
  }
  response.end();
}

/** Whether a page is of the host that its browser has asked, however the two are spelt. */
function isOwn(origin: string, host: unknown): boolean {
  if (typeof host !== "string" || !/^[\w.:[\]-]+$/.test(host)) return false;
  try {
    const { protocol, host: own } = new URL(origin);
    return new URL(`${protocol}//${host}`).host === own;
  } catch {
    return false; // "null", as a sandboxed page says
  }
}

/** What the server allows Socket.IO's own clients, as far as it says so without being asked for each. */
function originsOf(io: AppServer): Origins {
  const { cors } = (io.engine as { opts?: { cors?: unknown } } | undefined)?.opts ?? {};
  const { origin, credentials } = (isObject(cors) ? cors : {}) as { origin?: unknown; credentials?: unknown };
  // Any page, by its name where it brings cookies along: browsers take no "*" then.
  if (origin === true) return credentials === true ? /^/ : "*";
  return [origin].flat().filter((one) => typeof one === "string" || one instanceof RegExp);
}

function fits(one: string | RegExp, origin: string): boolean {
  if (typeof one === "string") return one === origin;
  one.lastIndex = 0; // of one that is global
  return one.test(origin);
}
