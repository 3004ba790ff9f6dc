import type { Change } from "socket-ingress/changes/client";
import type { Client } from "socket-ingress/client";
import type { App, Post } from "../app.js";

/** Who listens: told each change, and how the connection is that brings them. */
export interface Listener {
  onChange(change: Change<Post>): void;
  onState(state: "live" | "connecting" | "some were missed"): void;
}

/** Begins to listen to all changes. Returns what ends it. */
export type ChangeSource = (listener: Listener) => () => void;

const AGAIN_MS = 2_000;

/** The topic `all`, over the connection that the page has. */
export const overSocketIo =
  (client: Client<App>): ChangeSource =>
  ({ onChange, onState }) => {
    const joined = client.joinTopic("all", { onGap: () => onState("some were missed") });
    const offs = [
      joined.leave,
      client.on("change", onChange),
      client.onStatus(({ connected }) => onState(connected ? "live" : "connecting")),
    ];
    return () => {
      for (const off of offs) off();
    };
  };

/**
 * The same as a stream of events, by what every browser has. It connects again by itself and says which event it had last, so that none is
 * missed; but it gives up for good on any status but 200, that of a proxy during a deployment for instance.
 */
export const overEventSource: ChangeSource = ({ onChange, onState }) => {
  let source: EventSource;
  let last = "";
  let again: ReturnType<typeof setTimeout> | undefined;
  const open = (): void => {
    source = new EventSource(`events?topic=all${last && `&lastEventId=${encodeURIComponent(last)}`}`);
    source.addEventListener("open", () => onState("live"));
    source.addEventListener("change", ({ data, lastEventId }) => {
      last = lastEventId;
      onChange(JSON.parse(data));
    });
    source.addEventListener("refetch", () => onState("some were missed"));
    source.addEventListener("error", () => {
      onState("connecting");
      if (source.readyState === EventSource.CLOSED) again = setTimeout(open, AGAIN_MS);
    });
  };
  open();
  return () => {
    clearTimeout(again);
    source.close();
  };
};

/** The same over a WebSocket without a library, which is in `all` unless it names topics. What is told while it is away, it misses. */
export const overWebSocket: ChangeSource = ({ onChange, onState }) => {
  let socket: WebSocket;
  let again: ReturnType<typeof setTimeout> | undefined;
  let hasBeen = false;
  let isOver = false;
  const open = (): void => {
    socket = new WebSocket(new URL("ws", location.href.replace(/^http/, "ws")));
    socket.addEventListener("open", () => {
      onState(hasBeen ? "some were missed" : "live");
      hasBeen = true;
    });
    socket.addEventListener("message", ({ data }) => {
      const message = JSON.parse(data) as Change<Post> | { event?: string; error?: unknown };
      if ("model" in message) onChange(message); // a change comes as it is, all else in a frame that names its event
    });
    socket.addEventListener("close", () => {
      if (isOver) return;
      onState("connecting");
      again = setTimeout(open, AGAIN_MS);
    });
  };
  open();
  return () => {
    isOver = true;
    clearTimeout(again);
    socket.close();
  };
};
