import type { Message } from "../app.js";
import { byId, element, showItems } from "../../page/dom.js";
import { avatar } from "./avatar.js";

const TOGETHER_MS = 5 * 60_000;
const END_PX = 40;

let last: Message | undefined;
/** How many came below what is being read. */
let unseen = 0;

const list = byId("messages");
const newer = byId("newer");

const isAtEnd = (): boolean => list.scrollHeight - list.scrollTop - list.clientHeight < END_PX;

function showUnseen(count: number): void {
  unseen = count;
  newer.hidden = count === 0;
  newer.textContent = count === 1 ? "1 new message" : `${count} new messages`;
}

function scrollToEnd(): void {
  list.scrollTop = list.scrollHeight;
  showUnseen(0);
}

list.addEventListener("scroll", () => unseen > 0 && isAtEnd() && showUnseen(0));
newer.addEventListener("click", () => {
  scrollToEnd();
  list.focus(); // the button is gone
});

/**
 * Shows what was said so far; without it, that it is being asked for. After a reconnect whoever reads further up is left there, with
 * what was missed below.
 */
export function showHistory(history: readonly Message[] | undefined, me: string | null): void {
  const wasAtEnd = isAtEnd();
  let made = 0;
  list.ariaBusy = String(history === undefined);
  showItems(list, history ?? [], JSON.stringify, (message) => {
    made++;
    return itemOf(message, me);
  });
  last = undefined;
  for (const [at, message] of (history ?? []).entries()) follow(list.children[at] as HTMLElement, message);
  if (wasAtEnd) scrollToEnd();
  else showUnseen(unseen + made);
}

/** Adds a message at the end; whoever reads further up is left there, and told. */
export function addMessage(message: Message, me: string | null): void {
  const wasAtEnd = isAtEnd();
  const item = itemOf(message, me);
  item.dataset["key"] = JSON.stringify(message);
  list.append(item);
  follow(item, message);
  if (wasAtEnd || message.from === me) scrollToEnd();
  else showUnseen(unseen + 1);
}

function itemOf({ from, text, at }: Message, me: string | null): HTMLElement {
  const time = element("time", "", new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
  const body = element("div", "", element("b", "", from), time, element("p", "", text));
  return element("li", from === me ? "mine" : "", avatar(from), body);
}

/** The same person a moment later: one head over several messages. */
function follow(item: HTMLElement, message: Message): void {
  item.classList.toggle("again", last?.from === message.from && message.at - last.at < TOGETHER_MS);
  last = message;
}
