import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { Server } from "socket.io";
import type { WebSocketServer } from "ws";
import type { AppServer } from "../../events/subscriber.js";
import { ownRequire } from "../../lifecycle/own-require.js";
import { verdictOn } from "./origins.js";
import { PlainClients } from "./plain-clients.js";
import { checkPlainOptions, type PlainOptions, takePath } from "./plain-options.js";
import { PlainSocket } from "./plain-socket.js";
import { FRAME_MAX } from "./protocol.js";

/** How {@link plainSockets} works. Everything has a default. */
export interface PlainSocketsOptions<App extends AppServer = Server> extends PlainOptions<App> {
  /** Where clients connect to. @default "/ws" */
  readonly path?: string;
}

/** Takes WebSockets without Socket.IO in. */
export interface PlainSockets {
  /**
   * A listener for the event `upgrade` of an HTTP server. Requests for another path are left to others, such as Socket.IO.
   *
   * @returns whether the request was for this path
   */
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => boolean;
}

/**
 * Serves plain clients over WebSockets: a browser's own `WebSocket`, or that of any language. Each is a socket of the server, whose far
 * end we play, as with `sse`, and may send events, too.
 *
 * `ws://host/ws?topic=author&topic=book` joins these topics; without any, `all`, where the server has it and lets the client in. A `change` comes as
 * its data, the envelope, and nothing comes before it; all other events as `{ event, data }`. The client says `{ "subscribe": topic }`,
 * `{ "unsubscribe": topic }`, or `{ "event": name, "data": value, "id": 1 }`, which is dispatched as any client's event and answered with
 * `{ "id": 1, "data": ... }` or `{ "id": 1, "error": ... }`. A frame that can't be read is answered with an `error`; frames have at most 16 kB.
 *
 * A WebSocket is always accepted. One that is refused, loses a topic that its URL names, or is disconnected by the server is told the failure and
 * closed with 4001 (who are you), 4003 (not for you), 4029 (limited), 1013 (full) or 1001 (going away). Browsers are let in from the
 * server's own origin, and `origins`. A client that answers no ping, or does not read, is cut.
 *
 * A WebSocket has no `Last-Event-ID`: what is pushed while it is away, it has to ask for. While it is connected, it is told by a `refetch` with
 * `{ topics }` if something can't be sent.
 *
 * @param io - the server; it must have been attached when the first request comes
 * @throws TypeError naming the option that does not fit, or if the package `ws` is not installed
 *
 * @example
 * httpServer.on("upgrade", plainSockets(io, { path: "/ws" }).upgrade);
 */
export function plainSockets<App extends AppServer>(io: App, options: PlainSocketsOptions<App> = {}): PlainSockets {
  const [path, others] = takePath("plainSockets", options);
  const clients = new PlainClients(io, checkPlainOptions("plainSockets", io, others));
  const { WebSocketServer: Sockets } = loadWs();
  const server: WebSocketServer = new Sockets({ noServer: true, maxPayload: FRAME_MAX, clientTracking: false });
  return {
    upgrade(request, socket, head) {
      if (request.url?.split("?", 1)[0] !== path) return false;
      server.handleUpgrade(request, socket, head, (ws) => {
        const isAllowed = verdictOn(request, io, clients.options.origins) !== "refused";
        void new PlainSocket(clients, request, ws, socket).open(isAllowed);
      });
      return true;
    },
  };
}

function loadWs(): typeof import("ws") {
  try {
    // Spelt out where there is a `require`: that is what bundlers look for.
    return (typeof require === "function" ? require("ws") : ownRequire("ws")) as typeof import("ws");
  } catch (cause) {
    throw new TypeError("plainSockets: expected the package ws to be installed (npm install ws)", { cause });
  }
}
