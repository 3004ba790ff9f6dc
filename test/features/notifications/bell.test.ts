import { build } from "esbuild";
import { fileURLToPath } from "node:url";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { needs, program } from "../../fixtures/needs.js";
import { openStage, type Stage } from "./stage.js";

const SLOW = { timeout: 60_000 };

needs("chromium")("the bell, in windows of a browser", () => {
  let stage: Stage;
  let browser: Browser;
  const complaints: string[] = [];
  const loaded: string[] = [];

  beforeAll(async () => {
    const { outputFiles } = await build({
      entryPoints: [fileURLToPath(new URL("fixtures/bell-page.ts", import.meta.url))],
      bundle: true,
      write: false,
      format: "esm",
    });
    stage = await openStage();
    stage.door.served.httpServer.on("request", (request, response) => {
      const { pathname } = new URL(request.url ?? "", "http://localhost");
      if (pathname === "/page.js") response.setHeader("content-type", "text/javascript").end(outputFiles[0]?.text);
      else if (pathname === "/favicon.ico") response.end();
      else if (pathname === "/") {
        response.setHeader("content-type", "text/html; charset=utf-8");
        response.end(
          '<!doctype html><meta name="color-scheme" content="light dark"><title>Bell</title><button id="before">a</button><button id="remove">x</button><script type="module" src="/page.js"></script>',
        );
      } else if (!pathname.startsWith("/socket.io")) {
        loaded.push(pathname);
        response.setHeader("content-type", "image/svg+xml").end('<svg xmlns="http://www.w3.org/2000/svg"/>');
      }
    });
    browser = await chromium.launch({ executablePath: program("chromium"), args: ["--no-sandbox"] });
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await stage?.[Symbol.asyncDispose]();
  }, 60_000);

  async function open(user: string, options?: BrowserContextOptions): Promise<Page> {
    const context = await browser.newContext(options);
    context.setDefaultTimeout(20_000);
    const page = await context.newPage();
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("dialog", (dialog) => complaints.push(`a dialog said ${dialog.message()}`));
    page.on("console", (message) => void (message.type() === "error" && complaints.push(message.text())));
    await page.goto(`${stage.door.served.url}/?user=${user}`);
    await page.locator(".bell").waitFor();
    return page;
  }
  const badge = (page: Page, text: string): Promise<void> =>
    page.locator(".bell-badge", { hasText: new RegExp(`^${text}$`) }).waitFor();
  const noBadge = (page: Page): Promise<void> => page.locator(".bell-badge").waitFor({ state: "hidden" });
  const bell = (page: Page, name: string) => page.getByRole("button", { name, exact: true });

  it("shows how many are unread in all windows of a user, to the eye and to a screen reader", SLOW, async () => {
    const [one, two] = [await open("ada"), await open("ada")];
    await bell(one, "Notifications").waitFor();
    await stage.notifications.send("ada", { title: "Shipped" });
    for (const page of [one, two]) {
      await badge(page, "1");
      await bell(page, "Notifications, 1 unread").waitFor();
    }
    await one.close();
    await two.close();
  });

  it("16. opening the panel marks what is shown as read and nothing that is not", SLOW, async () => {
    for (let i = 1; i <= 8; i++) await stage.notifications.send("bob", { title: `title ${i}` });
    const [one, two] = [await open("bob"), await open("bob")];
    await badge(one, "8");
    await bell(one, "Notifications, 8 unread").click();
    await Promise.all([badge(one, "3"), badge(two, "3")]);
    expect(await one.locator(".bell-panel li").count()).toBe(5);
    expect(await one.locator(".bell-panel li.new").count()).toBe(5);
    const { unread, items } = (await stage.tab("bob")).inbox.getSnapshot();
    expect([unread, items.filter(({ readAt }) => readAt === null).map(({ title }) => title)]).toEqual([
      3,
      ["title 3", "title 2", "title 1"],
    ]);

    await one.getByRole("button", { name: "Older ones" }).click();
    await Promise.all([noBadge(one), noBadge(two)]);
    expect(await one.locator(".bell-panel li").count()).toBe(8);
    // What comes while it is open is seen.
    await stage.notifications.send("bob", { title: "title 9" });
    await one.locator(".bell-panel li.new", { hasText: "title 9" }).waitFor();
    await Promise.all([noBadge(one), noBadge(two)]);
    await one.keyboard.press("Escape");
    await stage.notifications.send("bob", { title: "title 10" });
    await Promise.all([badge(one, "1"), badge(two, "1")]);
    await one.close();
    await two.close();
  });

  it("15. `<script>` in a title shows as text; an icon is text, or an address that the page allows", SLOW, async () => {
    const page = await open("eve");
    const title = "<script>alert(1)</script><img src=x onerror=alert(2)>";
    await stage.notifications.send("eve", { title, message: "<b>bold</b>", icon: "<i>" });
    await stage.notifications.send("eve", { title: "foreign", icon: "/foreign/i.svg" });
    await stage.notifications.send("eve", { title: "allowed", icon: "/allowed/i.svg" });
    await badge(page, "3");
    await page.locator(".bell").click();
    const row = page.locator(".bell-panel li", { hasText: "alert(1)" });
    expect(await row.locator("strong").textContent()).toBe(title);
    expect(await row.textContent()).toContain("<i>");
    expect(await row.textContent()).toContain("<b>bold</b>");
    expect(await row.locator("script, img, b, i").count()).toBe(0);
    await page.locator(".bell-panel li", { hasText: "/foreign/i.svg" }).waitFor();
    await page.locator(".bell-panel li", { hasText: "allowed" }).locator("img").waitFor();
    await expect.poll(() => loaded).toEqual(["/allowed/i.svg"]);
    expect(complaints).toEqual([]);
    await page.close();
  });

  it("is operated by the keyboard, and gives the focus back", SLOW, async () => {
    await stage.notifications.send("kim", { title: "first" });
    const page = await open("kim");
    await badge(page, "1");
    const focused = (): Promise<string | null> => page.evaluate(() => document.activeElement?.className ?? null);
    await page.locator("#remove").focus();
    await page.keyboard.press("Tab");
    expect(await focused()).toBe("bell");
    await page.keyboard.press("Enter");
    await page.getByRole("dialog", { name: "Notifications" }).waitFor();
    await noBadge(page);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    expect(await focused()).toBe("bell");
    await page.locator("#remove").click();
    expect(await page.locator(".bell, .bell-panel").count()).toBe(0);
    await page.close();
  });

  it("follows the colour scheme of the page", SLOW, async () => {
    const colours: string[] = [];
    for (const colorScheme of ["light", "dark"] as const) {
      const page = await open("zoe", { colorScheme });
      await page.locator(".bell").click();
      await page.getByRole("dialog", { name: "Notifications" }).waitFor();
      await page.getByRole("status").getByText("Nothing yet.").waitFor();
      colours.push(await page.locator(".bell-panel").evaluate((panel) => getComputedStyle(panel).backgroundColor));
      await page.close();
    }
    expect(colours).toEqual(["rgb(255, 255, 255)", "rgb(23, 26, 33)"]);
    expect(complaints).toEqual([]);
  });
});
