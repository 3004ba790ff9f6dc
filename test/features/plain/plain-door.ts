import type { IncomingMessage } from "node:http";
import { EventError } from "socket-ingress";
import { plainSockets, sse, type PlainOptions } from "socket-ingress/plain";
import { type Door, type DoorOptions, open } from "../realtime/door.js";
import { read, type EventReader } from "./event-reader.js";
import { dial, type SocketReader } from "./socket-reader.js";

/** A server with realtime, `/events` and `/ws`, and clients of both. */
export interface PlainDoor extends AsyncDisposable {
  readonly door: Door;
  readonly url: string;
  /** Users whose next join is refused. */
  readonly banned: Set<string>;
  /** Opens an event stream: `?user=ada&topic=author`. */
  stream(query?: string, options?: Parameters<typeof read>[1]): Promise<EventReader>;
  socket(query?: string, headers?: Record<string, string>): Promise<SocketReader>;
  /** Publishes a change to topics, numbered. */
  change(n: number, topics?: readonly string[]): Promise<void>;
  /** Resolves once there are so many sockets. */
  sockets(count: number): Promise<void>;
}

/** The envelope of a change, as the door for changes publishes it. */
export function envelope(n: number): object {
  return {
    ts: 1_700_000_000_000,
    model: "author",
    method: "PATCH",
    id: String(n),
    many: false,
    payload: { id: n, name: "Ä" },
  };
}

const queryOf = (request: IncomingMessage): URLSearchParams => new URL(request.url ?? "", "http://x").searchParams;

/** Starts one. Who says `user=nobody` is turned away by `connect`. */
export async function openPlain(
  plain: PlainOptions & { path?: string } = {},
  { before, ...options }: DoorOptions = {},
): Promise<PlainDoor> {
  const banned = new Set<string>();
  const door = await open({
    presence: { graceMs: 0 },
    ...options,
    before(manager, realtime) {
      const join = ({ user }: { user: string | undefined }): boolean => user === undefined || !banned.has(user);
      realtime.topics.define("author", { join, history: { keep: 500 } });
      realtime.topics.define("book", { join, history: { keep: 500 } });
      realtime.topics.define("short", { join, history: { keep: 2 } });
      realtime.topics.define("hall", { public: true, presence: { batchMs: 1 } });
      realtime.topics.define("chat", { join, snapshot: () => ({ said: "before" }) });
      realtime.topics.define("secret", { join: () => false });
      before?.(manager, realtime);
    },
  });
  door.ingress.subscribe("connect", ({ socket }) => {
    if (socket.handshake.auth["user"] === "nobody") throw new EventError("UNAUTHENTICATED", "who are you?");
  });
  const { io, httpServer, url } = door.served;
  const auth = (request: IncomingMessage): object => {
    const [user, session] = [queryOf(request).get("user"), queryOf(request).get("session")];
    return { ...(user && { user }), ...(session && { session }) };
  };
  const { path = "/ws", ...shared } = { auth, logger: door.log, ...plain };
  const events = sse(io, shared);
  httpServer.on("request", (request, response) => {
    if (request.url?.startsWith("/events")) void events(request, response);
  });
  httpServer.on("upgrade", plainSockets(io, { path, ...shared }).upgrade);
  return {
    door,
    url,
    banned,
    stream: (query = "", readOptions) => read(`${url}/events${query}`, readOptions),
    socket: (query = "", headers) => dial(`${url}${path}${query}`, headers),
    async change(n, topics = ["author"]) {
      await door.realtime.emitSocket("change", envelope(n), { topics });
    },
    async sockets(count) {
      while (io.sockets.sockets.size !== count) await new Promise((resolve) => setTimeout(resolve, 5));
    },
    [Symbol.asyncDispose]: () => door[Symbol.asyncDispose](),
  };
}
