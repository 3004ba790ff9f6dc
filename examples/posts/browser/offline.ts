import type { Socket } from "socket.io-client";
import { byId } from "../../page/dom.js";

/** A switch that takes this window off the line, as a tunnel does, and puts it back. */
export function showOffline(socket: Socket): void {
  const button = byId<HTMLButtonElement>("offline");
  let away = false;
  button.addEventListener("click", () => {
    away = !away;
    button.textContent = away ? "Go online" : "Go offline";
    socket.io.reconnection(!away);
    if (!away) socket.connect();
    else if (socket.connected) socket.io.engine.close();
  });
}
