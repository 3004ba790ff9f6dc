import type { Message } from "../app.js";
import { byId, element } from "../../page/dom.js";
import { avatar } from "./avatar.js";

const TOGETHER_MS = 5 * 60_000;

let last: Message | undefined;

/** Shows what was said so far; without it, that it is being asked for. */
export function showHistory(history: readonly Message[] | undefined, me: string | null): void {
  last = undefined;
  byId("messages").ariaBusy = String(history === undefined);
  byId("messages").replaceChildren();
  for (const message of history ?? []) addMessage(message, me);
}

/** Adds a message at the end; whoever reads further up is left there. */
export function addMessage(message: Message, me: string | null): void {
  const list = byId("messages");
  const { from, text, at } = message;
  const mine = from === me;
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  const time = element("time", "", new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
  const body = element("div", "", element("b", "", from), time, element("p", "", text));
  const item = element("li", mine ? "mine" : "", avatar(from), body);
  item.classList.toggle("again", last?.from === from && at - last.at < TOGETHER_MS);
  list.append(item);
  last = message;
  if (atEnd || mine) list.scrollTop = list.scrollHeight;
}
