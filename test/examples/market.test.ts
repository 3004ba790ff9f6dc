import { io } from "socket.io-client";
import { isFailure } from "socket-ingress";
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

  async function arrive(name: string, options?: { cuttable: boolean }): Promise<Window> {
    const window = await stage.open("", options);
    await window.sees("#me", name);
    return window;
  }

  async function offer(window: Window, side: "bid" | "ask", price: number): Promise<void> {
    await window.page.click(`#offer label:has([value=${side}])`);
    await window.page.fill("#price", String(price));
    await window.page.click("#offer button");
  }

  beforeAll(async () => {
    stage = await openStage("market", { MARKET_SIZE: "3", DROPOUT_MS: "8000" });
    ada = await arrive("Ada");
    bea = await arrive("Bea");
  }, 60_000);

  afterAll(() => stage?.[Symbol.asyncDispose]());

  it("opens when the group is complete, and whoever comes later waits for the next one", SLOW, async () => {
    await ada.sees("#waiting", "Waiting for other traders");
    await ada.sees("#waiting", "3 traders make a market, and 2 of you are here: it opens with 1 more.");
    cem = await arrive("Cem", { cuttable: true });
    for (const window of [ada, bea, cem]) await window.sees("#traders li:nth-child(3)");
    dora = await arrive("Dora");
    await dora.sees("#waiting", "Waiting for other traders");
    await dora.sees("#waiting", "3 traders make a market, and you are the first: it opens with 2 more.");
    await dora.sees("#waiting", "3 others are trading already.");
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

  it("makes a trade at once of an offer that crosses one that stands, at the price that stood", SLOW, async () => {
    await offer(ada, "ask", 10);
    await bea.sees("#asks li", /10\.00/);
    await offer(bea, "bid", 11.5);
    for (const window of [ada, bea, cem]) {
      await window.sees("#trades li", /10\.00\s*Ada → Bea/);
      await window.misses("#asks li");
      expect(await window.page.locator("#bids li").count()).toBe(0);
    }
    await ada.sees("#notices li", "You sold a unit to Bea for 10.00");
    await bea.sees("#notices li", "You bought a unit from Ada for 10.00");
  });

  it("gives back what was put aside for an offer that is withdrawn", SLOW, async () => {
    const before = (await bea.page.textContent("#cash")) ?? "";
    await offer(bea, "bid", 20);
    await cem.sees("#bids li", /20\.00/);
    await bea.sees("#cash", (Number(before) - 20).toFixed(2));
    await bea.page.click("#bids li.mine button");
    await cem.misses("#bids li");
    await bea.sees("#cash", before);
  });

  it("keeps the keyboard in the book while the book changes", SLOW, async () => {
    await offer(cem, "ask", 30);
    await bea.page.focus("#asks li:has-text('30.00') button");
    await offer(ada, "ask", 29);
    await bea.sees("#asks li:first-child", /29\.00/);
    const focused = (): Promise<string | null | undefined> =>
      bea.page.evaluate(() => document.activeElement?.getAttribute("aria-label"));
    expect(await focused()).toBe("Buy at 30.00, offered by Cem");
    await cem.page.click("#asks li.mine button");
    await bea.misses("#asks li", "30.00");
    expect(await focused()).toBe("Buy at 29.00, offered by Ada"); // gone from under it: to the next one
    await ada.page.click("#asks li.mine button");
    await bea.misses("#asks li");
  });

  it("shows two tabs of one trader the same", SLOW, async () => {
    const token = await bea.page.evaluate(() => sessionStorage.getItem("token"));
    const second = await bea.another(); // a trader of its own, until it has the other tab's token
    await second.sees("#me", /\w/);
    await second.page.evaluate((known) => sessionStorage.setItem("token", known ?? ""), token);
    await second.page.reload();
    await second.sees("#me", "Bea");
    await offer(second, "bid", 2);
    await bea.sees("#bids li.mine", /2\.00/);
    await ada.page.click("#bids li:has-text('2.00') button");
    for (const window of [bea, second]) {
      await window.sees("#notices li", "You bought a unit from Ada for 2.00");
      await window.misses("#bids li");
    }
    expect(await second.page.textContent("#cash")).toBe(await bea.page.textContent("#cash"));
    await second.close();
    await bea.sees("#traders li:nth-child(3)"); // one tab closed is nobody gone
  });

  it("a lost connection costs no seat, shows what was missed, and moves nothing on the page", SLOW, async () => {
    await cem.page.evaluate(() => {
      const [waiting, floor] = ["waiting", "floor"].map((id) => document.getElementById(id) as HTMLElement);
      const moved: string[] = [];
      const watch = new MutationObserver(() => {
        if (floor?.hidden !== false || waiting?.hidden !== true) moved.push("away from the floor");
      });
      watch.observe(document.body, { subtree: true, attributeFilter: ["hidden"] });
      Object.assign(globalThis, { moved });
    });
    await cem.goOffline();
    await cem.sees("#lost", "Connection lost");
    await offer(bea, "ask", 17);
    await ada.sees("#asks li", /17\.00/);
    expect(await cem.page.locator("#asks li").count()).toBe(0);
    await cem.goOnline();
    await cem.sees("#asks li", /17\.00/);
    await cem.misses("#lost");
    expect(await cem.page.evaluate(() => (globalThis as unknown as { moved: string[] }).moved)).toEqual([]);
    await bea.page.click("#asks li.mine button");
    await cem.misses("#asks li");
  });

  it("answers a program that follows no rules, and tells it nothing of a market", SLOW, async () => {
    const intruder = io(stage.url, { transports: ["websocket"], auth: { token: { toString: "Ada" } } });
    try {
      const ask = async (event: string, ...args: unknown[]): Promise<string | undefined> => {
        const reply: unknown = await intruder.timeout(20_000).emitWithAck(event, ...args);
        return isFailure(reply) ? reply.error.code : undefined;
      };
      expect(await ask("post_offer", { side: "ask", price: 1 })).toBe("FORBIDDEN");
      expect(await ask("accept_offer", { id: 1 })).toBe("FORBIDDEN");
      expect(await ask("post_offer", { side: "gift", price: 1 })).toBe("INVALID_INPUT");
      expect(await ask("post_offer", { side: "bid", price: "1" })).toBe("INVALID_INPUT");
      expect(await ask("withdraw_offer")).toBe("INVALID_INPUT");
      expect(await ask("leave")).toBe("FORBIDDEN");
      expect(await ask("ingress:join", "group:1")).toBe("FORBIDDEN");
    } finally {
      intruder.close();
    }
  });

  it("gives a trader their seat back after a reload", SLOW, async () => {
    await offer(ada, "bid", 5);
    await bea.sees("#bids li", /5\.00/);
    await ada.page.reload();
    await ada.sees("#me", "Ada");
    await ada.sees("#bids li", /5\.00\s*you/);
    await ada.sees("#chart circle:nth-of-type(4)");
  });

  it("takes down the offers of a trader who drops out", SLOW, async () => {
    await ada.close();
    await bea.misses("#bids li");
    await cem.misses("#traders li", "Ada");
    await cem.sees("#notices li", "Ada has left");
    expect(stage.running()).toBe(true);
  });

  it("told the one who waits nothing of all this", async () => {
    expect(await dora.page.locator("#waiting").isVisible()).toBe(true);
    expect(await dora.page.locator("#trades li").count()).toBe(0);
  });

  it("offers another market to the last one in theirs, who starts anew there", SLOW, async () => {
    await bea.close();
    await cem.sees("#alone", "Everybody else has left");
    await cem.page.click("#move-on");
    await cem.sees("#waiting", "Waiting for other traders");
    const last = await stage.open();
    for (const window of [cem, dora, last]) {
      await window.sees("#traders li:nth-child(3)");
      await window.sees("#cash", "100.00");
      await window.misses("#trades li");
    }
    await offer(dora, "ask", 8);
    await cem.page.click("#asks li:has-text('8.00') button");
    await last.sees("#trades li", /8\.00\s*Dora → Cem/);
    await dora.sees("#notices li", "You sold a unit to Cem for 8.00");
    await last.close();
  });

  it("nothing went wrong on the pages", () => {
    // A market ends at the latest here; a warning would be a notice that nobody listened to.
    expect([ada, bea, dora].flatMap(({ complaints }) => complaints)).toEqual([]);
  });

  it("outlives a server that is started again: who was there is in a new market, and is told", SLOW, async () => {
    await stage.restart();
    const third = await stage.open();
    for (const window of [cem, dora]) {
      await window.sees("#notices .bad", "Your seat is gone");
      await window.sees("#cash", "100.00");
    }
    await offer(third, "ask", 4);
    await dora.page.click("#asks li:has-text('4.00') button");
    await third.sees("#notices li", /You sold a unit to \w+ for 4\.00/);
    await cem.sees("#chart text.price", "4.00");
  });
});
