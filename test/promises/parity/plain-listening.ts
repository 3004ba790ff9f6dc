import type { IncomingMessage } from "node:http";
import { EventError } from "socket-ingress";
import { plainSockets, sse } from "socket-ingress/plain";
import { serve } from "../../fixtures/serve.js";
import { read } from "../../features/plain/event-reader.js";
import { dial } from "../../features/plain/socket-reader.js";
import { recordingLog } from "../../fixtures/recording-log.js";
import type { Coming, Listening } from "./pushes.js";

const options = {
  logger: recordingLog(),
  auth: ({ url = "" }: IncomingMessage): object => {
    const user = new URL(url, "http://x").searchParams.get("user");
    return user === null ? {} : { user };
  },
};

function queryOf({ as, topics = [] }: Coming): string {
  return new URLSearchParams([
    ...(as === undefined ? [] : [["user", as]]),
    ...topics.map((name) => ["topic", name]),
  ]).toString();
}

/** Listens over event streams. */
export const byEventStream: Listening = {
  name: "event streams",
  async start() {
    const app = await serve();
    const events = sse(app.io, options);
    app.httpServer.on("request", (request, response) => {
      if (request.url?.startsWith("/events")) void events(request, response);
    });
    return {
      io: app.io,
      async listen(coming = {}) {
        const stream = await read(`${app.url}/events?${queryOf(coming)}`);
        if (stream.status !== 200) {
          await stream.ended;
          const { error } = JSON.parse(stream.text) as { error: { code: string } };
          throw new EventError(error.code, "refused");
        }
        return { got: stream.got, gone: stream.ended, leave: () => stream.close() };
      },
      [Symbol.asyncDispose]: () => app.close(),
    };
  },
};

/** Listens over WebSockets without Socket.IO. */
export const byPlainSocket: Listening = {
  name: "plain WebSockets",
  async start() {
    const app = await serve();
    app.httpServer.on("upgrade", plainSockets(app.io, options).upgrade);
    return {
      io: app.io,
      async listen(coming = {}) {
        const client = await dial(`${app.url}/ws?${queryOf(coming)}`);
        client.say({ unsubscribe: "none" });
        const answer = client.until(() => client.frames.some((frame) => frame.unsubscribed === "none"));
        const refused = await Promise.race([answer.catch(() => client.closed), client.closed]);
        if (refused !== undefined) throw new EventError(refused.reason, "refused");
        return {
          got: (event) => client.frames.filter((frame) => frame.event === event).map(({ data }) => data as unknown),
          gone: client.closed,
          leave: () => client.ws.close(),
        };
      },
      [Symbol.asyncDispose]: () => app.close(),
    };
  },
};
