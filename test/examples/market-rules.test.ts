import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Market } from "../../examples/market/market.js";

const traders = ["Ada", "Bea", "Cem"];
const book = (market: Market) => market.floor("Ada").offers;

describe("the market's rules", () => {
  it("a bid that crosses buys the cheapest ask, the oldest of several, at the price that stood", () => {
    const market = new Market("1", traders);
    market.post("Ada", { side: "ask", price: 12 });
    market.post("Ada", { side: "ask", price: 10 });
    market.post("Cem", { side: "ask", price: 10 });
    expect(market.post("Bea", { side: "bid", price: 11.5 })).toEqual({
      trade: { id: 2, price: 10, buyer: "Bea", seller: "Ada" },
    });
    expect(market.account("Bea")).toEqual({ cash: 90, goods: 11 });
    expect(market.account("Ada")).toEqual({ cash: 110, goods: 8 });
  });

  it("an ask that crosses sells to the highest bid, of which the maker pays what was bid", () => {
    const market = new Market("1", traders);
    market.post("Ada", { side: "bid", price: 9 });
    market.post("Cem", { side: "bid", price: 11 });
    expect(market.post("Bea", { side: "ask", price: 9 })).toEqual({
      trade: { id: 2, price: 11, buyer: "Cem", seller: "Bea" },
    });
    expect(book(market)).toEqual([{ id: 1, side: "bid", price: 9, trader: "Ada" }]);
  });

  it("one's own offer is never one's trade: it has to go first, unless somebody else's crosses too", () => {
    const market = new Market("1", traders);
    market.post("Ada", { side: "ask", price: 10 });
    expect(() => market.post("Ada", { side: "bid", price: 10 })).toThrow("your own ask at 10.00 is in the way");
    market.post("Bea", { side: "ask", price: 10.5 });
    expect(market.post("Ada", { side: "bid", price: 11 })).toMatchObject({ trade: { price: 10.5, seller: "Bea" } });
  });

  it("nobody bids more than they have, whatever a trade would cost", () => {
    const market = new Market("1", traders);
    market.post("Ada", { side: "ask", price: 1 });
    expect(() => market.post("Bea", { side: "bid", price: 101 })).toThrow("you don't have that much money");
    expect(book(market)).toHaveLength(1);
  });

  it("whatever is posted, taken and withdrawn, the book never crosses and nothing is lost or made", () => {
    const trader = fc.constantFrom(...traders);
    const step = fc.oneof(
      fc.record({
        do: fc.constant("post"),
        trader,
        side: fc.constantFrom("bid", "ask"),
        cents: fc.integer({ min: 1, max: 3_000 }),
      }),
      fc.record({ do: fc.constantFrom("accept", "withdraw"), trader, id: fc.integer({ min: 1, max: 30 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const market = new Market("1", traders);
        for (const each of steps) {
          try {
            if ("side" in each) market.post(each.trader, { side: each.side, price: each.cents / 100 });
            else if (each.do === "accept") market.accept(each.trader, each.id);
            else market.withdraw(each.trader, each.id);
          } catch {
            // refused, by the rules above
          }
          const offers = book(market);
          const of = (side: string) => offers.filter((offer) => offer.side === side);
          const highest = Math.max(-Infinity, ...of("bid").map(({ price }) => price));
          const lowest = Math.min(Infinity, ...of("ask").map(({ price }) => price));
          expect(highest).toBeLessThan(lowest);
          const accounts = traders.map((name) => market.account(name));
          const cash = accounts.reduce((sum, account) => sum + account.cash, 0);
          expect(cash + of("bid").reduce((sum, { price }) => sum + price, 0)).toBeCloseTo(300, 6);
          expect(accounts.reduce((sum, { goods }) => sum + goods, 0) + of("ask").length).toBe(30);
          expect(Math.min(...accounts.flatMap((account) => [account.cash, account.goods]))).toBeGreaterThanOrEqual(0);
        }
      }),
    );
  });
});
