import { ClientModule, EventFailure, type NoticeData } from "socket-ingress/client";
import type { Account, App, Floor, NewOffer, ServerToClient, Waiting } from "../app.js";
import { failureText } from "../../page/failure-text.js";

export interface MarketState extends Floor {
  me: string;
  /** `arriving` until the server has said whether there is a seat. */
  place: "arriving" | "waiting" | "floor";
  account: Account;
  /** What is waited for, once the server has said so. */
  waiting: Waiting | undefined;
  /** Lines for the person, the newest first. */
  notices: readonly { id: number; text: string; bad: boolean }[];
}

/** Everything the page shows, kept up to date. It knows no element: a page subscribes and draws. */
export class MarketModule extends ClientModule<App, MarketState> {
  override state: MarketState = {
    me: "",
    place: "arriving",
    traders: [],
    offers: [],
    trades: [],
    account: { cash: 0, goods: 0 },
    waiting: undefined,
    notices: [],
  };

  protected override onStart(): void {
    this.hear("NewOffer", (offer) => this.setState(({ offers }) => ({ offers: [...offers, offer] })));
    this.hear("OfferGone", ({ id }) => this.dropOffer(id));
    this.hear("Waiting", (waiting) => this.setState({ waiting }));
    this.hear("NewAccount", (account) => this.setState({ account }));
    this.hear("NewTrade", (trade) => {
      this.dropOffer(trade.id);
      this.setState(({ trades }) => ({ trades: [...trades, trade] }));
    });
    this.hear("Gone", ({ trader }) => {
      this.setState(({ traders }) => ({ traders: traders.filter((other) => other !== trader) }));
      this.tell(`${trader} has left`);
    });
    this.addCleanup(this.client.receive((text) => this.tell(String(text)))); // what comes without a name
    this.addCleanup(this.client.onReconnect(() => this.enter()));
    void this.enter();
  }

  /** Runs a live method; a failure is told to the person. */
  async attempt(call: Promise<unknown>): Promise<boolean> {
    try {
      await call;
      return true;
    } catch (error) {
      if (!(error instanceof EventFailure)) throw error;
      this.tell(failureText(error), true);
      return false;
    }
  }

  /** Makes an offer; if it is a trade at once, the person is told at which price. */
  async post(offer: NewOffer): Promise<void> {
    await this.attempt(
      this.callAction("post_offer", offer).then((posted) => {
        if (!("trade" in posted)) return;
        const { buyer, seller, price } = posted.trade;
        const what = offer.side === "bid" ? `bought a unit from ${seller}` : `sold a unit to ${buyer}`;
        this.tell(`You ${what} for ${price.toFixed(2)}`);
      }),
    );
  }

  /** Out of this market, for whom it is over, and into the next one. */
  async moveOn(): Promise<void> {
    if (!(await this.attempt(this.callAction("leave")))) return;
    this.setState({ place: "waiting", notices: [] });
    await this.enter();
  }

  private async enter(): Promise<void> {
    try {
      const { name, token, seated } = await this.callAction("whoami");
      sessionStorage.setItem("token", token);
      const { place } = this.state;
      this.setState({ me: name, place: seated ? place : "waiting" }); // with a seat, what is shown stays while it is asked for
      if (place === "floor" && !seated) this.tell(`Your seat is gone: you are ${name} in the next market.`, true);
      const caller = this.client.with({ timeoutMs: Infinity, signal: this.signal });
      this.setState({ ...(await caller.invoke("enter")), place: "floor" });
    } catch (error) {
      // A connection that goes comes back, and then this is called again.
      if (!(error instanceof EventFailure)) throw error;
    }
  }

  private hear<Name extends keyof ServerToClient>(name: Name, fn: (data: NoticeData<App, Name>) => void): void {
    this.addCleanup(this.client.onCustomEvent(name, fn));
  }

  private dropOffer(id: number): void {
    this.setState(({ offers }) => ({ offers: offers.filter((offer) => offer.id !== id) }));
  }

  private tell(text: string, bad = false): void {
    this.setState(({ notices }) => ({
      notices: [{ id: (notices[0]?.id ?? 0) + 1, text, bad }, ...notices].slice(0, 20),
    }));
  }
}
