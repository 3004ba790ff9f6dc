import { afterAll, beforeAll, expect, it } from "vitest";
import { needs } from "../fixtures/needs.js";
import { openStage, type Stage, type Window } from "./stage.js";

const SLOW = { timeout: 60_000 };

needs("chromium")("the market, in windows of a browser", () => {
  let stage: Stage;
  let ada: Window;
  let bea: Window;
  let cem: Window;
  let dora: Window;

  async function arrive(name: string): Promise<Window> {
    const window = await stage.open();
    await window.sees("#me", `You are ${name}`);
    return window;
  }

  async function offer(window: Window, side: "bid" | "ask", price: number): Promise<void> {
    await window.page.click(`#offer label:has([value=${side}])`);
    await window.page.fill("#price", String(price));
    await window.page.click("#offer button");
  }

  beforeAll(async () => {
    stage = await openStage("market", { MARKET_SIZE: "3", DROPOUT_MS: "1000" });
    ada = await arrive("Ada");
    bea = await arrive("Bea");
  }, 60_000);

  afterAll(() => stage?.[Symbol.asyncDispose]());

  it("opens when the group is complete, and whoever comes later waits for the next one", SLOW, async () => {
    await ada.sees("#waiting", "Waiting for other traders");
    cem = await arrive("Cem");
    for (const window of [ada, bea, cem]) await window.sees("#traders li:nth-child(3)");
    dora = await arrive("Dora");
    await dora.sees("#waiting", "Waiting for other traders");
  });

  it("shows an offer to everybody in the market, and what it costs to its maker", SLOW, async () => {
    await offer(ada, "ask", 12.5);
    await offer(bea, "bid", 9);
    for (const window of [ada, bea, cem]) {
      await window.sees("#asks li", /12\.50/);
      await window.sees("#bids li", /9\.00/);
    }
    await ada.sees("#goods", "9");
    await bea.sees("#cash", "91.00");
    await cem.sees("#cash", "100.00");
  });

  it("a trade updates every participant and the chart, and tells the seller alone in private", SLOW, async () => {
    await bea.page.click("#asks li:has-text('12.50') button");
    for (const window of [ada, bea, cem]) {
      await window.sees("#trades li", /12\.50\s*Ada → Bea/);
      await window.sees("#last", "12.50");
      await window.sees("#chart text.price", "12.50");
      await window.misses("#asks li");
    }
    await ada.sees("#notices li", "You sold a unit to Bea for 12.50");
    await ada.sees("#cash", "112.50");
    await bea.sees("#goods", "11");
    expect(await bea.page.locator("#notices li").count()).toBe(0);
    expect(await cem.page.locator("#notices li").count()).toBe(0);
  });

  it("grows the chart with every trade", SLOW, async () => {
    await cem.page.click("#bids li:has-text('9.00') button");
    await bea.sees("#notices li", "You bought a unit from Cem for 9.00");
    for (const window of [ada, bea, cem]) {
      await window.sees("#chart text.price", "9.00");
      expect(await window.page.locator("#chart circle").count()).toBe(2);
    }
  });

  it("refuses what the rules forbid and what nobody should send", SLOW, async () => {
    await offer(cem, "bid", 990);
    await cem.sees("#notices .bad", "you don't have that much money");
    expect(await ada.page.locator("#bids li").count()).toBe(0);
    await cem.page.evaluate(() => document.querySelector("form")?.setAttribute("novalidate", ""));
    await offer(cem, "ask", -5);
    await cem.sees("#notices .bad", "a price above 0, please");
    await offer(cem, "ask", 0.001);
    await cem.sees("#notices .bad", "cents are the smallest coin");
  });

  it("lets one of two who want the same offer have it", SLOW, async () => {
    await offer(cem, "ask", 3);
    await Promise.all([ada.sees("#asks button", "Buy"), bea.sees("#asks button", "Buy")]);
    const buy = (window: Window): Promise<void> =>
      window.page.evaluate(() => document.querySelector<HTMLElement>("#asks button")?.click());
    await Promise.all([buy(ada), buy(bea)]);
    for (const window of [ada, bea, cem]) await window.sees("#chart circle:nth-of-type(3)");
    const refusals = async (window: Window): Promise<number> =>
      window.page.locator("#notices .bad", { hasText: "somebody was faster" }).count();
    await cem.sees("#notices li", /You sold a unit to (Ada|Bea) for 3\.00/);
    // The later click found no button any more, or was told.
    expect((await refusals(ada)) + (await refusals(bea))).toBeLessThanOrEqual(1);
    expect(await cem.page.locator("#trades li", { hasText: "3.00" }).count()).toBe(1);
  });

  it("gives a trader their seat back after a reload", SLOW, async () => {
    await offer(ada, "bid", 5);
    await bea.sees("#bids li", /5\.00/);
    await ada.page.reload();
    await ada.sees("#me", "You are Ada");
    await ada.sees("#bids li", /5\.00\s*you/);
    await ada.sees("#chart circle:nth-of-type(3)");
  });

  it("takes down the offers of a trader who drops out", SLOW, async () => {
    await ada.close();
    await bea.misses("#bids li");
    await cem.misses("#traders li", "Ada");
    await cem.sees("#notices li", "Ada has left");
    expect(stage.running()).toBe(true);
  });

  it("told the one who waits nothing of all this, and nothing went wrong on the pages", async () => {
    expect(await dora.page.locator("#waiting").isVisible()).toBe(true);
    expect(await dora.page.locator("#trades li").count()).toBe(0);
    // A market ends at the latest here; a warning would be a notice that nobody listened to.
    expect([ada, bea, cem, dora].flatMap(({ complaints }) => complaints)).toEqual([]);
  });
});
