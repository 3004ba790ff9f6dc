import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { serve as serveHono } from "@hono/node-server";
import express from "express";
import Fastify from "fastify";
import { Hono } from "hono";
import { expressChanges, fastifyChanges, honoChanges, type Model, type RouteOptions } from "socket-ingress/changes";
import type { Post } from "../followed.js";

/** What a route of these tests answers. */
export interface Answer {
  readonly status: number;
  readonly body?: unknown;
}

/** What a route does; it may throw. */
export type Work = (method: string, id: string | undefined) => Answer | Promise<Answer>;

/** A server of one framework with the routes of a model. */
export interface Routes extends AsyncDisposable {
  readonly url: string;
  /** A request; resolves when the response is here. */
  send(method: string, path: string): Promise<{ status: number; text: string }>;
}

type Serve = (model: Model<Post>, work: Work, options?: RouteOptions<Post>) => Promise<Routes>;

function routesOf(url: string, close: () => Promise<unknown>): Routes {
  return {
    url,
    send: async (method, path) => {
      const response = await fetch(url + path, { method, headers: { connection: "close" } });
      return { status: response.status, text: await response.text() };
    },
    [Symbol.asyncDispose]: async () => void (await close()),
  };
}

async function listening(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  server.close();
  await once(server, "close");
}

/** Express 5: in front of a router, twice. */
export const withExpress: Serve = async (model, work, options) => {
  const app = express();
  const router = express.Router();
  router.use(expressChanges(model, options));
  const answer = async (request: express.Request, response: express.Response): Promise<void> => {
    const { status, body } = await work(request.method, request.params["id"] as string | undefined);
    response.status(status);
    if (body === undefined) response.end();
    else response.json(body);
  };
  const handle: express.RequestHandler = (request, response, next) => {
    answer(request, response).catch(next);
  };
  router.all("/", handle);
  router.all("/:id", handle);
  app.use("/posts", expressChanges(model, options), router);
  // Express tells of errors on the console, unless somebody has them.
  app.use((_error: unknown, _request: express.Request, response: express.Response, _next: express.NextFunction) => {
    response.status(500).end();
  });
  const server = createServer(app);
  return routesOf(await listening(server), () => closed(server));
};

/** Fastify 5: a scope of routes. */
export const withFastify: Serve = async (model, work, options) => {
  const app = Fastify();
  await app.register(
    async (scope) => {
      await scope.register(fastifyChanges(model, options));
      for (const url of ["/", "/:id"])
        scope.route({
          method: ["GET", "POST", "PUT", "PATCH", "DELETE"],
          url,
          exposeHeadRoute: false,
          handler: async (request, reply) => {
            const { status, body } = await work(request.method, (request.params as { id?: string }).id);
            return reply.status(status).send(body);
          },
        });
    },
    { prefix: "/posts" },
  );
  return routesOf(await app.listen({ port: 0, host: "127.0.0.1" }), () => app.close());
};

/** Hono 4 on Node: both patterns fit "/posts". */
export const withHono: Serve = async (model, work, options) => {
  const app = new Hono();
  app.use("/posts", honoChanges(model, options));
  app.use("/posts/*", honoChanges(model, options));
  for (const path of ["/posts", "/posts/:id"])
    app.all(path, async (context) => {
      const { status, body } = await work(context.req.method, context.req.param("id"));
      return body === undefined ? context.body(null, status as 204) : context.json(body as object, status as 200);
    });
  app.onError((_error, context) => context.text("failed", 500));
  return onNode(app);
};

/** An application of Hono behind Node's server. */
export async function onNode(app: Hono): Promise<Routes> {
  // The global classes stay Node's, which other files of this process use.
  const options = { fetch: app.fetch, port: 0, hostname: "127.0.0.1", overrideGlobalObjects: false };
  const server = serveHono(options) as Server;
  if (!server.listening) await once(server, "listening");
  return routesOf(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, () => closed(server));
}
