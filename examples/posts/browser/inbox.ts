import type { Client } from "socket-ingress/client";
import { openInbox } from "socket-ingress/notifications/client";
import type { App } from "../app.js";
import { showBell } from "../../page/bell.js";
import { byId } from "../../page/dom.js";

/** The bell, and a word of the browser's own while nobody looks at this tab, if that was allowed. */
export function showInbox(client: Client<App>): void {
  const inbox = openInbox<{ post: number }>(client, {
    limit: 20,
    onNew({ id, title, message }) {
      if (!document.hidden || !mayAlert()) return;
      // Several tabs have the same news: of one tag the browser shows one.
      const alert = new Notification(title, { body: message, tag: id });
      alert.addEventListener("click", () => window.focus());
    },
  });
  showBell(byId("bell"), inbox);
  offerAlerts();
}

const mayAlert = (): boolean => "Notification" in window && Notification.permission === "granted";

/** Asks when somebody wants it, never by itself: whoever has answered is not asked again. */
function offerAlerts(): void {
  const button = byId<HTMLButtonElement>("alerts");
  const show = (): void => {
    button.hidden = !("Notification" in window) || Notification.permission !== "default";
  };
  button.addEventListener("click", () => void Notification.requestPermission().then(show));
  show();
}
