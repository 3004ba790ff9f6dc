import type { Change } from "socket-ingress/changes/client";
import type { Client } from "socket-ingress/client";
import type { App, Post } from "../app.js";
import { byId, element } from "../../page/dom.js";
import { type ChangeSource, overEventSource, overSocketIo, overWebSocket } from "./change-sources.js";

const LINES = 100;

/** Shows every change as it came over the wire, the newest first; which wire, the page lets choose. */
export function showChanges(client: Client<App>): void {
  const sources: Record<string, ChangeSource> = {
    "Socket.IO": overSocketIo(client),
    EventSource: overEventSource,
    WebSocket: overWebSocket,
  };
  const choice = byId<HTMLSelectElement>("wire");
  choice.append(...Object.keys(sources).map((name) => new Option(name)));
  let end: (() => void) | undefined;
  const listen = (): void => {
    end?.();
    const wire = choice.value;
    onState("connecting");
    end = sources[wire]?.({ onChange: (change) => showLine(change, wire), onState });
  };
  choice.addEventListener("change", listen);
  listen();
}

function onState(state: string): void {
  byId("wire-state").textContent = state;
  byId("wire-state").dataset["state"] = state;
}

function showLine(change: Change<Post>, wire: string): void {
  const { ts, method, model, id } = change;
  const what = element("b", `is-${method.toLowerCase()}`, method);
  const time = element("time", "", new Date(ts).toLocaleTimeString());
  const line = element("summary", "", what, ` ${model}${id === null ? "" : ` ${id}`} `, time);
  const whole = element("pre", "", JSON.stringify(change, null, 2));
  const shown = element("li", "", element("details", "", line, whole));
  shown.dataset["wire"] = wire;
  shown.title = `by ${wire}`;
  byId("log").prepend(shown);
  byId("log").children[LINES]?.remove();
}
