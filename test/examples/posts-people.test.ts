import { execFileSync } from "node:child_process";
import { afterAll, beforeAll, expect, it } from "vitest";
import { needs, program } from "../fixtures/needs.js";
import { openStage, phone, type Stage, type Window } from "./stage.js";

const SLOW = { timeout: 60_000 };

needs("chromium", "curl")("the posts, with people who follow them", () => {
  let stage: Stage;
  let ada: Window;
  let adasOtherTab: Window;
  let bea: Window;

  const row = (title: string): string => `#posts li:has(.title:text-is("${title}"))`;
  const button = (title: string, label: string): string => `${row(title)} button:text-is("${label}")`;

  async function write(window: Window, title: string): Promise<void> {
    await window.page.fill("#new [name=title]", title);
    await window.page.click("#new button");
    await window.sees(button(title, "Follow"));
  }

  async function openPanel(window: Window): Promise<void> {
    await window.page.click(".bell");
    await window.sees(".bell-panel li");
  }

  beforeAll(async () => {
    stage = await openStage("posts", { EXPORT_MS: "8000" });
    ada = await stage.open();
    adasOtherTab = await ada.another();
    bea = await stage.open();
    for (const window of [ada, adasOtherTab, bea]) await window.sees("#list-status", "live");
  }, 60_000);

  afterAll(() => stage?.[Symbol.asyncDispose]());

  it("each browser is somebody, in all of its tabs", SLOW, async () => {
    for (const [window, name] of [
      [ada, "Ada"],
      [adasOtherTab, "Ada"],
      [bea, "Bea"],
    ] as const)
      await expect.poll(() => window.page.inputValue("#me")).toBe(name);
  });

  it("who follows a post, in any tab, hears of a change; who made it does not", SLOW, async () => {
    await write(ada, "Followed");
    await ada.page.click(button("Followed", "Follow"));
    await adasOtherTab.sees(button("Followed", "Unfollow"));
    await bea.sees(button("Followed", "Follow"));
    await bea.page.click(button("Followed", "Follow"));
    await bea.sees(button("Followed", "Unfollow"));
    await bea.page.click(button("Followed", "Publish"));
    for (const window of [ada, adasOtherTab]) await window.sees(".bell-badge", "1");
    await ada.page.click(button("Followed", "Take back"));
    await bea.sees(".bell-badge", "1");
    await openPanel(bea);
    await bea.sees(".bell-panel li", "Ada has changed it.");
    expect(await bea.page.locator(".bell-panel li").count()).toBe(1);
    await bea.page.keyboard.press("Escape");
  });

  it("opening the panel marks what it shows, in the other tab as well", SLOW, async () => {
    await openPanel(ada);
    await ada.sees(".bell-panel li", "“Followed”\nBea has changed it.");
    await ada.page.keyboard.press("Escape");
    for (const window of [ada, adasOtherTab]) await window.misses(".bell-badge");
  });

  it("the browser is asked only when somebody wants it, and speaks only while nobody looks", SLOW, async () => {
    await adasOtherTab.page.addInitScript(() => {
      const said = { asked: 0, shown: [] as string[], isHidden: false };
      class FakeNotification extends EventTarget {
        static permission = "default";
        static async requestPermission(): Promise<string> {
          said.asked++;
          return (FakeNotification.permission = "granted");
        }
        constructor(title: string, { body }: { body: string }) {
          super();
          said.shown.push(`${title} ${body}`);
        }
      }
      Object.defineProperty(document, "hidden", { get: () => said.isHidden });
      Object.assign(window, { Notification: FakeNotification, said });
    });
    const { page } = adasOtherTab;
    const said = (): Promise<{ asked: number; shown: string[] }> =>
      page.evaluate(() => (window as unknown as { said: { asked: number; shown: string[] } }).said);
    await page.reload();
    await adasOtherTab.sees(button("Followed", "Unfollow"));
    expect((await said()).asked).toBe(0);
    await page.click("#alerts");
    await adasOtherTab.misses("#alerts");
    expect((await said()).asked).toBe(1);
    await bea.page.click(button("Followed", "Publish"));
    await adasOtherTab.sees(".bell-badge", "1");
    expect((await said()).shown).toEqual([]);
    await page.evaluate(() => Object.assign((window as unknown as { said: object }).said, { isHidden: true }));
    await bea.page.click(button("Followed", "Take back"));
    await adasOtherTab.sees(".bell-badge", "2");
    expect((await said()).shown).toEqual(["“Followed” Bea has changed it."]);
  });

  it(
    "who unfollows a post hears nothing more; a terminal is somebody, and the end of a post is news",
    SLOW,
    async () => {
      await bea.page.click(button("Followed", "Unfollow"));
      await bea.sees(button("Followed", "Follow"));
      execFileSync(program("curl"), ["-sS", "-X", "DELETE", `${stage.url}/posts/1`]);
      await ada.sees(".bell-badge", "3");
      await openPanel(ada);
      await ada.sees(".bell-panel li", "Somebody has deleted it.");
      await ada.page.keyboard.press("Escape");
      await openPanel(bea);
      expect(await bea.page.locator(".bell-panel li").count()).toBe(1);
      await bea.page.keyboard.press("Escape");
    },
  );

  it("a browser becomes somebody else in all of its tabs, with the notifications of that one", SLOW, async () => {
    await bea.page.evaluate(() => Object.assign(window, { isBefore: true }));
    await bea.page.selectOption("#me", "Ada");
    // The page begins anew; what it showed until then was live, too.
    await bea.page.waitForFunction(() => !("isBefore" in window));
    await bea.sees("#list-status", "live");
    await openPanel(bea);
    await bea.sees(".bell-panel li", "Somebody has deleted it.");
    const again = await bea.another();
    await bea.page.selectOption("#me", "Cem");
    for (const window of [bea, again]) await expect.poll(() => window.page.inputValue("#me")).toBe("Cem");
    await again.close();
  });

  it(
    "an export is seen in both tabs of its session, from its progress to its file, and nowhere else",
    SLOW,
    async () => {
      for (const title of ["Exported", "=1+1"]) await write(ada, title);

      const json = ["-H", "content-type: application/json", "-d", JSON.stringify({ text: 'Says "two"' })];
      execFileSync(program("curl"), ["-sS", "-X", "PATCH", ...json, `${stage.url}/posts/3`]);
      await ada.page.click("#export");
      for (const window of [ada, adasOtherTab]) {
        await window.sees("#export-state", "is being written");
        await window.sees("#export-progress");
      }
      expect(await bea.page.locator("#export-job").isVisible()).toBe(false);
      for (const window of [ada, adasOtherTab]) await window.sees("#export-link", "posts.csv");
      await adasOtherTab.misses("#export-progress");
      const address = (await adasOtherTab.page.getAttribute("#export-link", "href")) ?? "";
      const fetched = (window: Window): Promise<[number, string]> =>
        window.page.evaluate(async (path) => {
          const response = await fetch(path);
          return [response.status, await response.text()];
        }, address);
      const [status, csv] = await fetched(adasOtherTab);
      expect(status).toBe(200);
      expect(csv).toBe(
        [
          '"id","author","title","text","state","edits"',
          '"2","Ada","Exported","","draft","0"',
          `"3","Ada","'=1+1","Says ""two""","draft","1"`,
        ].join("\r\n"),
      );
      expect((await fetched(bea))[0]).toBe(404);
    },
  );

  it(
    "an export is cancelled in the other tab, and one that is begun anew survives a reload of the page",
    SLOW,
    async () => {
      await ada.page.click("#export");
      await adasOtherTab.sees("#export-state", "is being written");
      await adasOtherTab.page.click("#export-cancel");
      for (const window of [ada, adasOtherTab]) {
        await window.sees("#export-state", "was cancelled");
        await window.misses("#export-link");
      }
      await adasOtherTab.page.click("#export");
      await ada.sees("#export-state", "is being written");
      await ada.page.reload();
      await ada.sees("#export-progress");
      for (const window of [ada, adasOtherTab]) await window.sees("#export-link", "posts.csv");
    },
  );

  it("fits a phone", SLOW, async () => {
    const small = await stage.open("", phone);
    await small.sees("#list-status", "live");
    const wide = await small.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    expect(wide).toBeLessThanOrEqual(0);
    await small.close();
  });

  it("nothing went wrong on the pages", () => {
    for (const window of [ada, adasOtherTab]) expect(window.complaints).toEqual([]);
    expect(bea.complaints).toEqual([expect.stringContaining("status of 404")]); // the export of somebody else
  });
});
