import type { Model } from "../model.js";
import { Route, type RouteOptions, unlooked } from "./route.js";

/** As much of a Hono context as is looked at. */
export interface HonoContext {
  /** The request. */
  readonly req: {
    /** Its method. */
    readonly method: string;
    /** Its path, whole. */
    readonly path: string;
    /** The request as the platform has it. */
    readonly raw: object;
  };
  /** The response, once there is one. */
  readonly res: Response;
  /** What the platform gives: `outgoing` is Node's response. */
  readonly env: unknown;
}

/** What `app.use` takes. */
export type HonoMiddleware = (context: HonoContext, next: () => Promise<void>) => Promise<void>;

/** What is asked besides: Hono's types say otherwise by the path of each route. */
interface Asked {
  param(): unknown;
}

/** Node's response, as `@hono/node-server` hands it over. */
interface Outgoing {
  readonly closed: boolean;
  /** Of HTTP/2, whose responses do not say so themselves. */
  readonly stream: { readonly closed?: boolean } | null;
  once(event: "close", listener: () => void): unknown;
}

/**
 * Has the routes of a model publish what they answer, once the response has left: `POST`, `PUT`, `PATCH` and `DELETE` with a status from 200 to
 * 299, others if `methods` of the model says so. For Hono 4. Behind `@hono/node-server` it is the end of Node's response that counts;
 * elsewhere it is the next turn of the event loop.
 *
 * It sees an answer of JSON: the record, or a list of records. What it can't see: any other answer; writes that no route has made; old
 * records, unless it is given `loadOld`; a record that the answer does not show whole.
 *
 * @throws TypeError if the model has narrower topics, and there is no `loadOld`
 *
 * @example
 * app.use("/posts/*", honoChanges(posts)); // of "/posts", too
 */
export function honoChanges<Row>(model: Model<Row>, options?: RouteOptions<Row>): HonoMiddleware {
  const route = new Route("honoChanges", model, options);
  return async (context, next) => {
    const { method, path, raw } = context.req;
    // A pattern such as "/posts/*" fits "/posts" as well, and so may another.
    if (!route.takes(method, raw)) return next();
    const looked = route.asks(method) ? await route.look(route.named(undefined, path).id) : unlooked;
    await next();
    const { ok, status } = context.res;
    if (!ok) return;
    // Those of the handler that has run.
    const params = (context.req as unknown as Asked).param();
    const body = bodyOf(context.res);
    const told = route.kept((value: unknown) => route.answered({ method, status, body: value, params, path, looked }));
    whenLeft(context.env, () => void body.then(told));
  };
}

/** What a response says, read from a copy; `undefined` if it is not JSON. Never rejects. */
async function bodyOf(response: Response): Promise<unknown> {
  try {
    if (!/\bjson\b/.test(response.headers.get("content-type") ?? "")) return undefined;
    return (await response.clone().json()) as unknown;
  } catch {
    return undefined;
  }
}

function whenLeft(env: unknown, then: () => void): void {
  const outgoing = (env as { outgoing?: Partial<Outgoing> } | null | undefined)?.outgoing;
  const isOpen = outgoing?.closed !== true && outgoing?.stream?.closed !== true;
  if (isOpen && typeof outgoing?.once === "function") outgoing.once("close", then);
  // Elsewhere, or its client has gone: the record is written all the same.
  else setTimeout(then, 0);
}
