import { io, type ManagerOptions, type Socket, type SocketOptions } from "socket.io-client";
import { byId } from "./dom.js";

const AGAIN_MS = 2_000;

/** Connects with the program behind this page, which may be one of several of a server: its Socket.IO is below the page's own path. */
export function connect(options: Partial<ManagerOptions & SocketOptions> = {}): Socket {
  return io({
    path: new URL("socket.io", document.baseURI).pathname,
    transports: ["websocket", "polling"], // the server notices at once when a tab is closed
    tryAllTransports: true,
    ...options,
  });
}

/**
 * Shows in `#status` how the connection is, and `#lost` while one that there was is gone. Socket.IO reconnects by itself,
 * except after a server's word, such as that it is shutting down: then it is asked again from here.
 */
export function showConnection(socket: Socket): void {
  const show = (state: string): void => {
    byId("status").dataset["state"] = byId("status").textContent = state;
    byId("lost").hidden = state !== "reconnecting";
  };
  const again = (): void => {
    if (!socket.active) setTimeout(() => socket.connect(), AGAIN_MS);
  };
  socket.on("connect", () => show("connected"));
  socket.on("disconnect", () => {
    show("reconnecting");
    again();
  });
  socket.on("connect_error", again);
}
