import { EventError } from "socket-ingress";
import type { Account, Floor, NewOffer, Offer, Posted, Trade } from "./app.js";

/**
 * One double auction: everyone may offer to buy and to sell, and what crosses is a trade. So no bid that stands is as high as an ask
 * that stands. It knows the rules and nobody's socket.
 */
export class Market {
  readonly id: string;
  private readonly accounts: Map<string, Account>;
  private readonly offers = new Map<number, Offer>();
  private readonly trades: Trade[] = [];
  private lastId = 0;

  constructor(id: string, traders: readonly string[]) {
    this.id = id;
    this.accounts = new Map(traders.map((trader) => [trader, { cash: 100, goods: 10 }]));
  }

  /** The market as one trader sees it. */
  floor(trader: string): Floor {
    const [traders, offers] = [[...this.accounts.keys()], [...this.offers.values()]];
    return { traders, offers, trades: this.trades.slice(-200), account: this.account(trader) };
  }

  account(trader: string): Account {
    const account = this.accounts.get(trader);
    if (account === undefined) throw new EventError("NOT_FOUND", `${trader} is not in this market`);
    return account;
  }

  /**
   * An offer that crosses is a trade with the best of what stands, the oldest first, at the price that stood. Any other stands until it
   * is taken or withdrawn; what it offers is put aside, so that nobody can sell a thing twice.
   */
  post(trader: string, { side, price }: NewOffer): Posted {
    const account = this.account(trader);
    if (side === "bid") canPay(account, price);
    const crossed = this.crossed(trader, side, price);
    if (crossed !== undefined) return { trade: this.accept(trader, crossed.id) };
    if (side === "bid") this.pay(account, price);
    else this.hand(account);
    const offer = { id: ++this.lastId, side, price, trader };
    this.offers.set(offer.id, offer);
    return { offer };
  }

  withdraw(trader: string, id: number): Offer {
    const offer = this.open(id);
    if (offer.trader !== trader) throw new EventError("FORBIDDEN", "this offer is not yours");
    const account = this.account(trader);
    if (offer.side === "bid") this.pay(account, -offer.price);
    else account.goods += 1;
    this.offers.delete(id);
    return offer;
  }

  accept(trader: string, id: number): Trade {
    const { side, price, trader: maker } = this.open(id);
    if (maker === trader) throw new EventError("CONFLICT", "this offer is your own");
    const [buyer, seller] = side === "ask" ? [trader, maker] : [maker, trader];
    if (side === "ask") this.pay(this.account(buyer), price);
    else this.hand(this.account(seller));
    this.account(buyer).goods += 1;
    this.pay(this.account(seller), -price);
    this.offers.delete(id);
    const trade = { id, price, buyer, seller };
    this.trades.push(trade);
    return trade;
  }

  /** A trader who is gone offers nothing any more. Returns what was withdrawn. */
  leave(trader: string): Offer[] {
    const theirs = [...this.offers.values()].filter((offer) => offer.trader === trader);
    for (const { id } of theirs) this.withdraw(trader, id);
    this.accounts.delete(trader);
    return theirs;
  }

  /** The best that somebody else offers at this price or a better one. */
  private crossed(trader: string, side: Offer["side"], price: number): Offer | undefined {
    const gain = (offer: Offer): number => (side === "bid" ? price - offer.price : offer.price - price);
    const crossing = [...this.offers.values()].filter((offer) => offer.side !== side && gain(offer) >= 0);
    const [best] = crossing.filter((offer) => offer.trader !== trader).sort((a, b) => gain(b) - gain(a));
    const [own] = crossing;
    if (best !== undefined || own === undefined) return best;
    throw new EventError(
      "CONFLICT",
      `your own ${own.side} at ${own.price.toFixed(2)} is in the way: withdraw it first`,
    );
  }

  private open(id: number): Offer {
    const offer = this.offers.get(id);
    if (offer === undefined) throw new EventError("NOT_FOUND", "somebody was faster: this offer is gone");
    return offer;
  }

  private pay(account: Account, price: number): void {
    canPay(account, price);
    account.cash = Math.round((account.cash - price) * 100) / 100;
  }

  private hand(account: Account): void {
    if (account.goods < 1) throw new EventError("CONFLICT", "you have nothing left to sell");
    account.goods -= 1;
  }
}

function canPay(account: Account, price: number): void {
  if (account.cash < price) throw new EventError("CONFLICT", "you don't have that much money");
}
