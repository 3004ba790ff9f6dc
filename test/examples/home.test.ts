import { describe, expect, it } from "vitest";
import { needs } from "../fixtures/needs.js";
import { openStage, phone } from "./stage.js";

const programs = ["chat", "market", "drawing", "posts", "notes"];

needs("chromium")("the start page", () => {
  describe("of one server with all programs", () => {
    it("opens each of them below its own path, and counts their events as they come", { timeout: 90_000 }, async () => {
      await using stage = await openStage("home");
      const window = await stage.open();
      await window.sees("#programs li", "Double auction");
      expect(await window.page.locator("#programs li").count()).toBe(programs.length);
      await window.sees("#rows tr", "moderation.review (guard, input), then rooms.post (input)");

      await window.page.selectOption("#program", "drawing");
      await window.misses("#rows tr", "moderation.review");
      await window.page.selectOption("#program", "");
      await window.page.check("#seen");
      await window.sees("#none");

      for (const program of programs) {
        const popup = window.page.waitForEvent("popup");
        await window.page.click(`#programs a[href="${program}/"]`);
        const page = await popup;
        await page.waitForSelector('#status[data-state="connected"]');
        expect(new URL(page.url()).pathname).toBe(`/${program}/`);
        await window.sees("#rows tr", program);
        const came = window.page.locator("#rows tr", { hasText: program }).first().locator(".number").first();
        expect(Number(await came.textContent())).toBeGreaterThan(0);
      }
      // What its page asks for as it connects, counted once for its one window.
      const row = window.page.locator("#rows tr", { hasText: "painters.whoami" });
      expect(await row.locator(".number").allTextContents()).toEqual([
        "1",
        "0",
        expect.stringMatching(/^(< )?\d+\.\d$/),
      ]);
      expect(window.complaints).toEqual([]);
    });

    it("goes on after a restart, with counts that begin anew", { timeout: 90_000 }, async () => {
      await using stage = await openStage("home");
      const window = await stage.open("/", phone);
      const other = await stage.open("/notes/");
      await other.sees('#status[data-state="connected"]');
      await window.page.check("#seen");
      await window.sees("#rows tr", "notes.onWhoami");
      await other.close();
      await stage.restart();
      await window.sees('#status[data-state="connected"]');
      await window.sees("#none");
      expect(await window.page.locator("#program option").count()).toBe(programs.length + 1);
    });
  });
});
