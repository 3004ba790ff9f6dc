import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { needs, program } from "../../fixtures/needs.js";
import { root } from "../../repo/source-files.js";
import { openPlain, type PlainDoor } from "./plain-door.js";

const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"];
const PATIENCE = { timeout: 30_000 };

/** The code that the guide shows under a name. */
function ofGuide(name: string): string {
  const guide = readFileSync(join(root, "docs/guide/plain-clients.md"), "utf8");
  const code = new RegExp(`\`\`\`js\\n// ${name}\\n([^]*?)\`\`\``).exec(guide)?.[1];
  if (code === undefined) throw new Error(`the guide shows no ${name}`);
  return code;
}

/** A server that has a page, and the worker of the guide. */
async function openPages(options?: Parameters<typeof openPlain>[0]): Promise<PlainDoor> {
  const plain = await openPlain(options);
  plain.door.served.httpServer.on("request", (request, response) => {
    if (request.url === "/page") response.setHeader("content-type", "text/html").end("<title>page</title>");
    if (request.url === "/ping") response.end("pong");
    if (request.url === "/events-worker.js")
      response.setHeader("content-type", "text/javascript").end(ofGuide("events-worker.js"));
  });
  return plain;
}

/** What a page has heard. */
const heard = (page: Page): Promise<any[]> => page.evaluate("globalThis.heard ?? []");
const hears = async (page: Page, text: string): Promise<void> => {
  await page.waitForFunction(
    `JSON.stringify(globalThis.heard ?? []).includes(${JSON.stringify(text)})`,
    undefined,
    PATIENCE,
  );
};

needs("chromium")("in Chromium", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: program("chromium"), args: flags });
  }, 60_000);
  afterAll(() => browser.close());

  const pageOf = async (plain: PlainDoor, context?: BrowserContext): Promise<Page> => {
    const page = await (context ?? browser).newPage();
    await page.goto(`${plain.url}/page`, PATIENCE);
    return page;
  };

  it(
    "the guide's way to listen goes on after an answer that is no stream, and misses nothing",
    { timeout: 60_000 },
    async () => {
      await using plain = await openPages({ retryMs: 20 });
      const page = await pageOf(plain);
      const listen = ofGuide("listen.js")
        .replace("5_000", "50")
        .replace("/events?", "/events?user=ada&")
        .replace("console.log(type, data)", "heard.push({ type, ...data })");
      await page.evaluate(`globalThis.heard = []; ${listen}`);
      await plain.sockets(1);
      await plain.change(1);
      await hears(page, '"id":"1"');
      // Refused when it comes back, upon which an EventSource gives up.
      plain.banned.add("ada");
      const refused = page.waitForResponse((response) => response.status() === 403, PATIENCE);
      await plain.door.realtime.revoke("ada", "author");
      await refused;
      await plain.change(2);
      plain.banned.clear();
      await hears(page, '"id":"2"');
      await plain.change(3);
      await hears(page, '"id":"3"');
      expect((await heard(page)).map(({ type, id }) => [type, id] as unknown)).toEqual(
        ["1", "2", "3"].map((id) => ["change", id]),
      );
      await page.close();
      await plain.sockets(0);
    },
  );

  it(
    "Given `/events?topic=author`, When a change, Then EventSource sees it, and goes on by itself after a drop",
    { timeout: 60_000 },
    async () => {
      await using plain = await openPages({ retryMs: 50 });
      const page = await pageOf(plain);
      await page.evaluate(`
      globalThis.heard = [];
      globalThis.source = new EventSource("/events?topic=author");
      source.addEventListener("change", ({ data, lastEventId }) => heard.push({ ...JSON.parse(data), lastEventId }));
      source.addEventListener("refetch", ({ data }) => heard.push({ refetch: data }));
      new Promise((resolve) => (source.onopen = resolve));
    `);
      await plain.change(1);
      await hears(page, '"id":"1"');
      const [socket] = plain.door.served.io.sockets.sockets.values();
      const gone = new Promise((resolve) => socket!.once("disconnect", resolve));
      socket!.conn.close();
      await gone;
      await plain.change(2);
      await plain.change(3);
      await hears(page, '"id":"3"');
      const all = await heard(page);
      expect(all.map(({ id }) => id as string)).toEqual(["1", "2", "3"]);
      expect(all[0].lastEventId).toMatch(/^1\./);
      await page.close();
      await plain.sockets(0);
    },
  );

  it(
    "Given `revoke(user, topic)`, Then the EventSource is refused when it comes back, and gives up",
    { timeout: 60_000 },
    async () => {
      await using plain = await openPages({ retryMs: 50 });
      const page = await pageOf(plain);
      await page.evaluate(`
      globalThis.heard = [];
      globalThis.source = new EventSource("/events?user=ada&topic=author");
      source.addEventListener("ended", ({ data }) => heard.push(JSON.parse(data)));
      new Promise((resolve) => (source.onopen = resolve));
    `);
      plain.banned.add("ada");
      await plain.door.realtime.revoke("ada", "author");
      await page.waitForFunction("source.readyState === EventSource.CLOSED", undefined, PATIENCE);
      expect(await heard(page)).toMatchObject([{ code: "FORBIDDEN", topic: "author" }]);
      await page.close();
    },
  );

  it(
    "a WebSocket hears the envelope, changes its topics, calls, and is told by its code why it is closed",
    { timeout: 60_000 },
    async () => {
      await using plain = await openPages();
      const page = await pageOf(plain);
      await page.evaluate(`
      globalThis.heard = [];
      globalThis.socket = new WebSocket(location.origin.replace("http", "ws") + "/ws?user=ada&topic=author");
      socket.onmessage = ({ data }) => heard.push(JSON.parse(data));
      socket.onclose = ({ code, reason }) => heard.push({ code, reason });
      new Promise((resolve) => (socket.onopen = resolve));
    `);
      await page.evaluate('socket.send(JSON.stringify({ subscribe: "book" }))');
      await hears(page, '"subscribed":"book"');
      await plain.change(1);
      await plain.change(2, ["book"]);
      await hears(page, '"id":"2"');
      await page.evaluate('socket.send(JSON.stringify({ event: "sync", id: 7 }))');
      await hears(page, '{"id":7,"data":true}');
      await plain.door.realtime.disconnect({ user: "ada" }, { code: "UNAUTHENTICATED", message: "expired" });
      await hears(page, '{"code":4001,"reason":"UNAUTHENTICATED"}');
      await page.close();
    },
  );

  it(
    "a page of another origin can't read a stream, and its WebSocket is closed with 4003, unless it is allowed",
    { timeout: 60_000 },
    async () => {
      await using strict = await openPages();
      await using open = await openPages({ origins: [strict.url] });
      const page = await pageOf(strict);
      const ask = (url: string): Promise<unknown> =>
        page.evaluate(`new Promise((resolve) => {
        const source = new EventSource("${url}/events?topic=author");
        source.onopen = () => resolve("open");
        source.onerror = () => resolve("error");
      })`);
      expect(await ask(open.url)).toBe("open");
      const other = await pageOf(open);
      const closed = other.evaluate(`new Promise((resolve) => {
      new WebSocket("${strict.url.replace("http", "ws")}/ws").onclose = ({ code }) => resolve(code);
    })`);
      expect(await closed).toBe(4003);
      expect(
        await other.evaluate(`new Promise((resolve) => {
        const source = new EventSource("${strict.url}/events?topic=author");
        source.onopen = () => resolve("open");
        source.onerror = () => resolve("error");
      })`),
      ).toBe("error");
      await Promise.all([page.close(), other.close()]);
    },
  );

  it(
    "Given seven tabs on HTTP/1.1, Then a shared worker of 20 lines tells all of them by one stream",
    { timeout: 90_000 },
    async () => {
      await using plain = await openPages();
      const context = await browser.newContext();
      const pages = await Promise.all(Array.from({ length: 7 }, () => pageOf(plain, context)));
      const tab = ofGuide("in each tab").replace("console.log(type, data)", "heard.push({ type, ...data })");
      for (const page of pages) await page.evaluate(`globalThis.heard = []; (() => { ${tab} })()`);
      await plain.sockets(1);
      await plain.change(1);
      for (const page of pages) await hears(page, '"id":"1"');
      for (const page of pages)
        expect(await page.evaluate('fetch("/ping").then((answer) => answer.text())')).toBe("pong");
      expect(plain.door.served.io.sockets.sockets.size).toBe(1);
      await context.close();
      await plain.sockets(0);
    },
  );

  it("Given seven tabs on HTTP/1.1, Then a WebSocket in each works", { timeout: 90_000 }, async () => {
    await using plain = await openPages();
    const context = await browser.newContext();
    const pages = await Promise.all(Array.from({ length: 7 }, () => pageOf(plain, context)));
    for (const page of pages)
      await page.evaluate(`
        globalThis.heard = [];
        globalThis.socket = new WebSocket(location.origin.replace("http", "ws") + "/ws?topic=author");
        socket.onmessage = ({ data }) => heard.push(JSON.parse(data));
        new Promise((resolve) => (socket.onopen = resolve));
      `);
    await plain.sockets(7);
    for (const page of pages) {
      await page.evaluate('socket.send(JSON.stringify({ event: "sync", id: 1 }))');
      await hears(page, '"data":true');
    }
    await plain.change(1);
    for (const page of pages) await hears(page, '"method":"PATCH"');
    expect(await pages[6]?.evaluate('fetch("/ping").then((answer) => answer.text())')).toBe("pong");
    await context.close();
    await plain.sockets(0);
  });
});
