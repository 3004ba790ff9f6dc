import type { Socket } from "socket.io-client";
import { byId } from "./dom.js";

const AGAIN_MS = 2_000;

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
