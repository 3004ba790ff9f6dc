import { type ControllerHandler, EventError, type EventContext } from "socket-ingress";
import { group, RealtimeController, user } from "socket-ingress/realtime";
import { type App, type Floor, newOffer, type NewOffer, offerId, type Trade } from "./app.js";
import { Market } from "./market.js";

export interface FloorOptions {
  /** How many traders make a market. */
  size: number;
  /** How long somebody may be gone before their offers are taken down. */
  dropoutMs: number;
}

/** Brings traders together in groups, one market each, and tells everyone in it what happens. */
export class FloorController extends RealtimeController<App> {
  readonly name = "floor";
  private readonly options: FloorOptions;
  private readonly seats = new Map<string, { market: Market; endWatch: () => void }>();
  /** Who waits for a market, by the call that does; two tabs of one trader wait twice. */
  private readonly waiting = new Map<EventContext<App>, string>();

  constructor(options: FloorOptions) {
    super();
    this.options = options;
  }

  override buildEvents(handler: ControllerHandler<App>): void {
    handler
      .on("whoami", this.whoami)
      .on("enter", this.enter, { timeoutMs: Infinity })
      .on("leave", this.leave)
      .on("post_offer", this.post, { input: newOffer })
      .on("withdraw_offer", this.withdraw, { input: offerId })
      .on("accept_offer", this.accept, { input: offerId });
  }

  private whoami(context: EventContext<App>) {
    const { token = "" } = context.socket.data;
    const name = this.traderOf(context);
    return { name, token, seated: this.seats.has(name) };
  }

  private async enter(context: EventContext<App>): Promise<Floor> {
    const me = this.traderOf(context);
    if (!this.seats.has(me)) {
      // Runs once for each group, before anybody's wait ends, however many come at once.
      const afterGrouping = ({ id, members }: { id: string; members: readonly string[] }): void => {
        const market = new Market(id, members);
        for (const trader of members) this.seat(trader, market);
      };
      this.waiting.set(context, me);
      this.tellWaiting();
      try {
        await this.realtime.waitForGroup(context, { pool: "market", size: this.options.size, afterGrouping });
      } finally {
        this.waiting.delete(context);
        this.tellWaiting();
      }
    }
    return this.marketOf(me).floor(me);
  }

  private post(context: EventContext<App>, offer: NewOffer) {
    const me = this.traderOf(context);
    const market = this.marketOf(me);
    const posted = market.post(me, offer);
    if ("trade" in posted) this.tellTrade(context, market, posted.trade);
    else {
      void this.notify(context, group(market.id), posted.offer, { event: "NewOffer" });
      this.tellAccount(market, me);
    }
    return posted;
  }

  private withdraw(context: EventContext<App>, { id }: { id: number }) {
    const me = this.traderOf(context);
    const market = this.marketOf(me);
    const offer = market.withdraw(me, id);
    void this.notify(context, group(market.id), { id }, { event: "OfferGone" });
    this.tellAccount(market, me);
    return offer;
  }

  private accept(context: EventContext<App>, { id }: { id: number }) {
    const me = this.traderOf(context);
    const market = this.marketOf(me);
    const trade = market.accept(me, id);
    this.tellTrade(context, market, trade);
    return trade;
  }

  private tellTrade(context: EventContext<App>, market: Market, trade: Trade): void {
    const { buyer, seller, price } = trade;
    void this.notify(context, group(market.id), trade, { event: "NewTrade" });
    // Private: the other side of the trade only.
    if (this.traderOf(context) === buyer) {
      void this.notify(context, user(seller), `You sold a unit to ${buyer} for ${price.toFixed(2)}`);
    } else void this.notify(context, user(buyer), `You bought a unit from ${seller} for ${price.toFixed(2)}`);
    this.tellAccount(market, buyer);
    this.tellAccount(market, seller);
  }

  /** Tells those who wait what for. */
  private tellWaiting(): void {
    const traders = new Set(this.waiting.values());
    const about = { size: this.options.size, waiting: traders.size, trading: this.seats.size };
    for (const trader of traders) void this.sendTo(user(trader), about, { event: "Waiting" });
  }

  private tellAccount(market: Market, trader: string): void {
    void this.sendTo(user(trader), market.account(trader), { event: "NewAccount" });
  }

  private async leave(context: EventContext<App>) {
    const trader = this.traderOf(context);
    this.marketOf(trader);
    await this.unseat(trader);
    return { trader };
  }

  private seat(trader: string, market: Market): void {
    const endWatch = this.realtime.watchForDropout(trader, () => this.unseat(trader), this.options.dropoutMs);
    this.seats.set(trader, { market, endWatch });
  }

  private async unseat(trader: string): Promise<void> {
    const seat = this.seats.get(trader);
    if (seat === undefined) return;
    const { market, endWatch } = seat;
    this.seats.delete(trader);
    endWatch();
    await this.realtime.withdraw(group(market.id), trader);
    for (const { id } of market.leave(trader)) void this.sendTo(group(market.id), { id }, { event: "OfferGone" });
    void this.sendTo(group(market.id), { trader }, { event: "Gone" });
    this.tellWaiting();
  }

  private traderOf({ socket }: EventContext<App>): string {
    const { user: trader } = this.realtime.identify(socket);
    if (trader === undefined) throw new EventError("UNAUTHENTICATED", "nobody knows you here");
    return trader;
  }

  private marketOf(trader: string): Market {
    const seat = this.seats.get(trader);
    if (seat === undefined) throw new EventError("FORBIDDEN", "enter a market first");
    return seat.market;
  }
}
