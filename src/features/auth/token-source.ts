import { describeValue } from "../../wire/values.js";

/**
 * Where a token may come from: `auth` of the handshake (`io({ auth: { token } })`), the header `Authorization: Bearer`, a cookie, or a
 * parameter of the query, which ends up in the logs of every proxy.
 */
export type TokenSource = "auth" | "header" | `cookie:${string}` | `query:${string}`;

/** A request by which a token may come, such as Express' or Node's own. */
export interface TokenRequest {
  /** Its headers, by small names. Without any it brings no token by them. */
  readonly headers?: {
    /** The header `Authorization`. */
    readonly authorization?: string | undefined;
    /** The header `Cookie`. */
    readonly cookie?: string | undefined;
  };
  /** Its path and query. */
  readonly url?: string | undefined;
  /** What a client of Socket.IO sent as `auth`. */
  readonly auth?: unknown;
}

type Read = (request: TokenRequest) => unknown;

/**
 * Makes the function that finds the token of a request: what the first place has that has anything.
 *
 * @throws TypeError naming a place that there is not
 */
export function tokenReader(from: unknown): Read {
  const places: unknown[] = Array.isArray(from) ? from : [];
  if (places.length === 0)
    throw new TypeError(`Auth: from must be a list such as ["auth", "header"], got ${describeValue(from)}`);
  const readers = places.map(readerOf);
  return (request) => {
    for (const read of readers) {
      const token = read(request);
      if (token !== undefined && token !== null && token !== "") return token;
    }
    return undefined;
  };
}

function readerOf(place: unknown): Read {
  if (place === "auth") return ({ auth }) => (auth as { token?: unknown } | null | undefined)?.token;
  if (place === "header") return ({ headers }) => /^bearer +(.+)$/i.exec(headers?.authorization ?? "")?.[1];
  const [, kind, name = ""] = /^(cookie|query):(.+)$/.exec(String(place)) ?? [];
  if (kind === "cookie") return ({ headers }) => cookieOf(headers?.cookie ?? "", name);
  if (kind === "query") return ({ url = "" }) => queryOf(url).get(name);
  throw new TypeError(
    `Auth: from must name "auth", "header", "cookie:<name>" or "query:<name>", got ${describeValue(place)}`,
  );
}

function queryOf(url: string): URLSearchParams {
  const at = url.indexOf("?");
  return new URLSearchParams(at < 0 ? "" : url.slice(at + 1));
}

function cookieOf(header: string, name: string): string | undefined {
  for (const pair of header.split(";")) {
    const at = pair.indexOf("=");
    if (at < 0 || pair.slice(0, at).trim() !== name) continue;
    // RFC 6265, 4.1.1: a value may stand in quotes.
    const value = pair
      .slice(at + 1)
      .trim()
      .replace(/^"(.*)"$/, "$1");
    try {
      return decodeURIComponent(value);
    } catch {
      return value;
    }
  }
  return undefined;
}
