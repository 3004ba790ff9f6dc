import type { Model } from "../model.js";
import { type Looked, type Named, Route, type RouteOptions, unlooked } from "./route.js";

/** What `app.register` takes. */
export type FastifyPlugin = (app: FastifyScope, options: object, done: (error?: Error) => void) => void;

/** As much of a Fastify instance as is looked at. */
export interface FastifyScope {
  /** Takes hooks. */
  readonly addHook: unknown;
}

/** As much as the hooks are given; Fastify's own types depend on the application. */
interface Request {
  readonly method: string;
  readonly url: string;
  readonly params: unknown;
}

interface Reply {
  readonly statusCode: number;
  /** Node's response. */
  readonly raw: { readonly destroyed: boolean; once(event: "close", listener: () => void): unknown };
}

interface Hooks {
  addHook(name: "preHandler", hook: (request: Request) => Promise<void>): unknown;
  addHook(
    name: "preSerialization",
    hook: (request: Request, reply: object, payload: unknown, done: (error: null, payload: unknown) => void) => void,
  ): unknown;
  addHook(
    name: "onSend",
    hook: (request: Request, reply: Reply, payload: unknown, done: (error: null, payload: unknown) => void) => void,
  ): unknown;
  addHook(name: "onResponse", hook: (request: Request, reply: Reply, done: () => void) => void): unknown;
}

/**
 * Has the routes of a model publish what they answer, once the response has left: `POST`, `PUT`, `PATCH` and `DELETE` with a status from 200 to
 * 299, others if `methods` of the model says so. For Fastify 4 and 5: it holds for all routes of the scope that registers it, so a scope
 * has the routes of one model.
 *
 * It sees what a handler returns or sends as an object: the record, or a list of records. What it can't see: an answer that is text, or
 * streamed; writes that no route has made; old records, unless it is given `loadOld`; a record that the answer does not show whole.
 *
 * @throws TypeError if the model has narrower topics, and there is no `loadOld`
 *
 * @example
 * app.register(async (scope) => {
 *   scope.register(fastifyChanges(posts));
 *   scope.post("/", createPost);
 * }, { prefix: "/posts" });
 */
export function fastifyChanges<Row>(model: Model<Row>, options?: RouteOptions<Row>): FastifyPlugin {
  const route = new Route("fastifyChanges", model, options);
  const bodies = new WeakMap<object, unknown>();
  const looked = new WeakMap<object, Looked>();
  const answered = (request: Request, { statusCode: status }: Reply): void => {
    const { method } = request;
    if (route.takes(method, request))
      route.answered({
        method,
        status,
        body: bodies.get(request),
        params: request.params,
        path: request.url,
        looked: looked.get(request) ?? unlooked,
      });
  };
  const plugin: FastifyPlugin = (app, _options, done) => {
    const hooks = app as Hooks;
    hooks.addHook("preHandler", async (request) => {
      if (route.asks(request.method)) looked.set(request, await route.look(namedBy(request).id));
    });
    hooks.addHook("preSerialization", (request, _reply, payload, next) => {
      bodies.set(request, payload);
      next(null, payload);
    });
    // Of one whose client has gone the record is written all the same, and Fastify tells of no response.
    hooks.addHook("onSend", (request, reply, payload, next) => {
      if (reply.raw.destroyed) setImmediate(answered, request, reply);
      else reply.raw.once("close", () => answered(request, reply));
      next(null, payload);
    });
    hooks.addHook("onResponse", (request, reply, next) => {
      answered(request, reply);
      next();
    });
    done();
  };
  const namedBy = ({ params, url }: Request): Named => route.named(params, url);
  // Fastify's own way to say that the hooks are those of the scope that registers it.
  return Object.assign(plugin, { [Symbol.for("skip-override")]: true });
}
