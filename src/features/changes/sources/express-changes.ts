import type { Model } from "../model.js";
import { Route, type RouteOptions, unlooked } from "./route.js";

/** As much of an Express request as is looked at. */
export interface ExpressRequest {
  /** Its method. */
  readonly method: string;
  /** Its path, below where the middleware is mounted. */
  readonly path: string;
}

/** As much of an Express response as is looked at. */
export interface ExpressResponse {
  /** Its status. */
  statusCode: number;
  /** Whether it was ended. */
  readonly writableEnded: boolean;
  /** Tells of its end. */
  on(event: "close", listener: () => void): unknown;
}

/** What `app.use` and `router.use` take, and any route in front of its handler. */
export type ExpressMiddleware = (
  request: ExpressRequest,
  response: ExpressResponse,
  next: (error?: unknown) => void,
) => void;

/** What is looked at besides, which Express's types say otherwise in each version. */
interface Answering {
  json(body?: unknown): unknown;
  end(chunk?: unknown, encoding?: unknown, callback?: unknown): unknown;
}

/**
 * Has the routes of a model publish what they answer, once the response has left: `POST`, `PUT`, `PATCH` and `DELETE` with a status from 200 to
 * 299, others if `methods` of the model says so. For Express 4 and 5: in front of a router, or of single routes.
 *
 * It sees what is passed to `res.json`, or as an object to `res.send`: the record, or a list of records. What it can't see: an answer that is
 * text, or streamed; writes that no route has made; old records, unless it is given `loadOld`; a record that the answer does not show whole.
 *
 * @throws TypeError if the model has narrower topics, and there is no `loadOld`
 *
 * @example
 * app.use("/posts", expressChanges(posts), postsRouter);
 */
export function expressChanges<Row>(model: Model<Row>, options?: RouteOptions<Row>): ExpressMiddleware {
  const route = new Route("expressChanges", model, options);
  return (request, response, next) => {
    const { method } = request;
    if (!route.takes(method, response)) return next();
    let body: unknown;
    let params: unknown;
    let looked = unlooked;
    const answering = response as unknown as Answering;
    const { json, end } = answering;
    // The parameters of a route are there while it runs, and not before or after.
    const look = (): void => {
      params ??= (request as { params?: unknown }).params;
    };
    answering.json = function answerWith(this: Answering, value: unknown) {
      look();
      body = value;
      return json.call(this, value);
    };
    const { path } = request;
    const answered = (): void => {
      route.answered({ method, status: response.statusCode, body, params, path, looked });
    };
    let isClosed = false;
    answering.end = function endWith(this: Answering, chunk?: unknown, encoding?: unknown, callback?: unknown) {
      look();
      const ended = end.call(this, chunk, encoding, callback);
      if (isClosed) answered();
      isClosed = false;
      return ended;
    };
    response.on("close", () => {
      // Of one whose client has gone the record is written all the same: perhaps later.
      if (response.writableEnded) answered();
      else isClosed = true;
    });
    if (!route.asks(method)) return next();
    // In front of a router the route, and its parameters, are not known yet.
    const { id = route.named(undefined, path).id } = route.named((request as { params?: unknown }).params, path);
    void route.look(id).then((found) => {
      looked = found;
      return next();
    }, next);
  };
}
