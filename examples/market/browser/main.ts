import { io } from "socket.io-client";
import { createClient } from "socket-ingress/client";
import type { App, Offer } from "../app.js";
import { drawChart } from "./chart.js";
import { MarketModule, type MarketState } from "./market-module.js";

const byId = <T extends Element = HTMLElement>(id: string): T => document.getElementById(id) as unknown as T;

function element(tag: string, className: string, ...children: (string | Node)[]): HTMLElement {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...children);
  return made;
}

const socket = io({
  auth: (give) => give({ token: sessionStorage.getItem("token") }),
  transports: ["websocket", "polling"], // the server notices at once when a tab is closed
  tryAllTransports: true,
});
const client = createClient<App>(socket);
const market = new MarketModule(client);

// --- what is shown ----------------------------------------------------------------------------------------------------------

function offerItem({ id, side, price, trader }: Offer, me: string): HTMLElement {
  const mine = trader === me;
  const label = mine ? "Withdraw" : side === "ask" ? "Buy" : "Sell";
  const button = element("button", mine ? "plain" : label.toLowerCase(), label);
  button.ariaLabel = `${label} at ${price.toFixed(2)}, offered by ${mine ? "you" : trader}`;
  button.addEventListener("click", () => {
    void market.attempt(client.invoke(mine ? "withdraw_offer" : "accept_offer", { id }));
  });
  return element("li", mine ? "mine" : "", element("b", "", price.toFixed(2)), mine ? "you" : trader, button);
}

function show({ me, open, traders, offers, trades, account, notices }: MarketState): void {
  byId("me").textContent = me === "" ? "" : `You are ${me}`;
  byId("waiting").hidden = open;
  byId("floor").hidden = !open;
  const last = trades.at(-1)?.price;
  byId("cash").textContent = account.cash.toFixed(2);
  byId("goods").textContent = String(account.goods);
  byId("last").textContent = last?.toFixed(2) ?? "–";
  byId("traders").replaceChildren(
    ...traders.map((trader) => element("li", trader === me ? "mine" : "", trader === me ? `${trader} (you)` : trader)),
  );

  const best = (side: Offer["side"]) => (a: Offer, b: Offer) =>
    side === "ask" ? a.price - b.price : b.price - a.price;
  for (const side of ["bid", "ask"] as const) {
    const sorted = offers.filter((offer) => offer.side === side).sort(best(side));
    byId(`${side}s`).replaceChildren(...sorted.map((offer) => offerItem(offer, me)));
  }
  const tape = trades.slice(-12).reverse();
  byId("trades").replaceChildren(
    ...tape.map(({ price, buyer, seller }) =>
      element("li", "", element("b", "", price.toFixed(2)), `${seller} → ${buyer}`),
    ),
  );
  const shown = new Set([...byId("notices").children].map((item) => Number((item as HTMLElement).dataset["id"])));
  for (const { id, text, bad } of notices.filter((notice) => !shown.has(notice.id)).reverse()) {
    const item = element("li", bad ? "bad" : "", text);
    item.dataset["id"] = String(id);
    byId("notices").prepend(item);
  }
  if (open) drawChart(byId<SVGSVGElement>("chart"), trades);
}

market.subscribe(show);
new ResizeObserver(() => show(market.state)).observe(byId("chart"));
void market.start();

// --- what is done -----------------------------------------------------------------------------------------------------------

byId<HTMLFormElement>("offer").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = new FormData(byId<HTMLFormElement>("offer"));
  const side = form.get("side") === "ask" ? "ask" : "bid";
  void market.attempt(client.invoke("post_offer", { side, price: Number(form.get("price")) }));
});

// --- the connection ---------------------------------------------------------------------------------------------------------

function showStatus(state: string): void {
  byId("status").dataset["state"] = state;
  byId("status").textContent = state;
}
socket.on("connect", () => showStatus("connected"));
socket.on("disconnect", () => showStatus("disconnected"));
