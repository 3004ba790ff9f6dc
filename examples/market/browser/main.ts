import { createClient } from "socket-ingress/client";
import type { App, Offer, Waiting } from "../app.js";
import { connect, showConnection } from "../../page/connection.js";
import { byId, element, onSubmit, showItems } from "../../page/dom.js";
import { drawChart } from "./chart.js";
import { MarketModule, type MarketState } from "./market-module.js";

const socket = connect({ auth: (give) => give({ token: sessionStorage.getItem("token") }) });
const client = createClient<App>(socket);
const market = new MarketModule(client);
showConnection(socket);

// --- what is shown ----------------------------------------------------------------------------------------------------------

const TAPE = 12;

function offerItem({ id, side, price, trader }: Offer, mine: boolean): HTMLElement {
  const label = mine ? "Withdraw" : side === "ask" ? "Buy" : "Sell";
  const button = element("button", mine ? "plain" : label.toLowerCase(), label);
  button.ariaLabel = `${label} at ${price.toFixed(2)}, offered by ${mine ? "you" : trader}`;
  button.addEventListener("click", () => {
    void market.attempt(client.invoke(mine ? "withdraw_offer" : "accept_offer", { id }));
  });
  return element("li", mine ? "mine" : "", element("b", "", price.toFixed(2)), mine ? "you" : trader, button);
}

function showBook(offers: readonly Offer[], me: string): void {
  const of = (side: Offer["side"]): Offer[] => offers.filter((offer) => offer.side === side);
  const lists = {
    bids: of("bid").sort((a, b) => b.price - a.price),
    asks: of("ask").sort((a, b) => a.price - b.price),
  };
  for (const [id, sorted] of Object.entries(lists)) {
    showItems(
      byId(id),
      sorted,
      (offer) => JSON.stringify([offer, me]),
      (offer) => offerItem(offer, offer.trader === me),
    );
  }
}

/** What somebody waits for. */
function lackingText({ size, waiting, trading }: Waiting): string {
  const here = waiting === 1 ? "you are the first" : `${waiting} of you are here`;
  const text = `${size} traders make a market, and ${here}: it opens with ${size - waiting} more.`;
  if (trading === 0) return text;
  return `${text} ${trading} ${trading === 1 ? "other is" : "others are"} trading already.`;
}

function show({ me, place, traders, offers, trades, account, notices, waiting }: MarketState): void {
  byId("me").textContent = me;
  byId("waiting").hidden = place !== "waiting";
  if (waiting !== undefined) byId("lacking").textContent = lackingText(waiting);
  byId("floor").hidden = place !== "floor";
  byId("alone").hidden = traders.length !== 1;
  byId("offer").inert = traders.length === 1;
  byId("cash").textContent = account.cash.toFixed(2);
  byId("goods").textContent = String(account.goods);
  byId("last").textContent = trades.at(-1)?.price.toFixed(2) ?? "–";
  showItems(
    byId("traders"),
    traders,
    (trader) => `${trader} ${me}`,
    (trader) => element("li", trader === me ? "mine" : "", trader === me ? `${trader} (you)` : trader),
  );
  showBook(offers, me);
  showItems(
    byId("trades"),
    trades.slice(-TAPE).reverse(),
    (trade) => JSON.stringify(trade),
    ({ price, buyer, seller }) => element("li", "", element("b", "", price.toFixed(2)), `${seller} → ${buyer}`),
  );
  showItems(
    byId("notices"),
    notices,
    ({ id }) => String(id),
    ({ text, bad }) => element("li", bad ? "bad" : "", text),
  );
  if (place === "floor") drawChart(byId<SVGSVGElement>("chart"), trades);
}

market.subscribe(show);
new ResizeObserver(() => show(market.state)).observe(byId("chart"));
void market.start();

// --- what is done -----------------------------------------------------------------------------------------------------------

onSubmit("offer", () => {
  const form = new FormData(byId<HTMLFormElement>("offer"));
  const side = form.get("side") === "ask" ? "ask" : "bid";
  void market.post({ side, price: Number(form.get("price")) });
});
byId("move-on").addEventListener("click", () => void market.moveOn());
