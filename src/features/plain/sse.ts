import type { IncomingMessage, ServerResponse } from "node:http";
import type { AppServer } from "../../events/subscriber.js";
import { writeLog } from "../../lifecycle/log.js";
import { printable } from "../../wire/values.js";
import { readEventId } from "./event-id.js";
import { EventStream } from "./event-stream.js";
import { answerOptions, sayOrigin, verdictOn } from "./origins.js";
import { PlainClients, type Wish } from "./plain-clients.js";
import { searchOf } from "./plain-connection.js";
import { checkPlainOptions, type PlainOptions } from "./plain-options.js";
import { refusal, refuse } from "./refusal.js";

/**
 * Answers requests with event streams: for `node:http`, and as a handler of Express; Fastify and Hono give it their raw request and response. It
 * resolves when the stream has its head or the request is refused, and never rejects.
 */
export type EventStreams = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/**
 * Serves plain clients over event streams (SSE): what `EventSource`, `curl -N` and a few lines of any language can read. Each is a
 * socket of the server, whose far end we play: `connect` subscribers, the application's middleware, identity, topics with their policies, audiences,
 * counting, revocation, presence, limits, adapters and drain hold for it.
 *
 * `GET /events?topic=author&topic=book` joins these topics; without any, the stream has what is sent to its user, session or everyone. An
 * event is `event`, `data` (JSON), and for pushes to topics with a history `id`. An EventSource that comes back says the last one as
 * `Last-Event-ID` and is sent what it missed, in order and once; if that is not to be had any more, it is sent one event `refetch` with
 * `{ topics }` first. Where the server recovers connections (`connectionStateRecovery`), that holds for all other events, too.
 *
 * Who is refused gets a status (401, 403, 429, 503 ...) and the failure as JSON. A stream ends with an event `ended`, `{ code, message }`, if a
 * topic of it is revoked or the server disconnects it, and without one at a shutdown. A client that does not read is cut at `maxBufferedBytes`.
 *
 * The middleware of `io.engine.use` and the option `allowRequest` are Engine.IO's, and not asked: what they do for other clients is for the
 * HTTP server's own middleware here, such as `app.use(session(...))`.
 *
 * @param io - the server; it must have been attached when the first request comes
 * @throws TypeError naming the option that does not fit
 *
 * @example
 * app.get("/events", sse(io, { auth: ({ headers }) => ({ token: headers.authorization }) }));
 */
export function sse<App extends AppServer>(io: App, options: PlainOptions<App> = {}): EventStreams {
  const clients = new PlainClients(io, checkPlainOptions("sse", io, options));
  const { log, origins } = clients.options;
  return async (request, response) => {
    try {
      sayOrigin(request, response, verdictOn(request, io, origins));
      if (request.method === "OPTIONS") return answerOptions(response);
      if (request.method !== "GET" && request.method !== "HEAD") return refuseMethod(request, response);
      await new EventStream(clients, request, response).open(wishOf(request));
    } catch (thrown) {
      // Such as a response that was begun already.
      writeLog(log, "error", { err: printable(thrown) }, "a request for an event stream could not be answered");
      response.destroy();
    }
  };
}

function wishOf(request: IncomingMessage): Wish {
  const query = new URLSearchParams(searchOf(request));
  const header = request.headers["last-event-id"];
  const last = (typeof header === "string" && header !== "" ? header : query.get("lastEventId")) ?? "";
  return {
    topics: [...new Set(query.getAll("topic"))],
    since: last === "" ? undefined : (readEventId(last) ?? "unknown"),
  };
}

function refuseMethod(request: IncomingMessage, response: ServerResponse): void {
  response.setHeader("allow", "GET, HEAD, OPTIONS");
  refuse(request, response, refusal("INVALID_INPUT", "an event stream is asked for with GET"), 405);
}
