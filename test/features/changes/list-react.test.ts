import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import { expect, it } from "vitest";
import { needs, program } from "../../fixtures/needs.js";
import { servePosts } from "./posts-by-hand.js";

needs("chromium")("React in a browser", () => {
  it(
    "shows a list by useSyncExternalStore, in strict mode, and closes it with the component",
    {
      timeout: 60_000,
    },
    async () => {
      const { outputFiles } = await build({
        entryPoints: [fileURLToPath(new URL("fixtures/list-react.tsx", import.meta.url))],
        bundle: true,
        write: false,
        format: "esm",
        jsx: "automatic",
        define: { "process.env.NODE_ENV": '"development"' },
      });
      await using posts = await servePosts();
      posts.create("one");
      posts.app.httpServer.on("request", ({ url }, response) => {
        const send = (type: string, body: string): unknown => response.setHeader("content-type", type).end(body);
        if (url === "/list.js") send("text/javascript", outputFiles[0]?.text ?? "");
        else if (url === "/posts") send("application/json", JSON.stringify(posts.all()));
        else if (url === "/favicon.ico") response.end();
        else if (url === "/")
          send(
            "text/html",
            '<!doctype html><title>Posts</title><div id="root"></div><script type="module" src="/list.js"></script>',
          );
      });
      await using browser = await chromium.launch({ executablePath: program("chromium"), args: ["--no-sandbox"] });
      const tab = await browser.newPage();
      const complaints: string[] = [];
      tab.on("console", (message) => {
        if (["error", "warning"].includes(message.type())) complaints.push(message.text());
      });
      tab.on("pageerror", (error) => complaints.push(String(error)));
      await tab.goto(posts.app.url);
      await tab.locator("main[data-status=live]").waitFor();
      await tab.getByText("one").waitFor();
      posts.create("two");
      posts.update(1, "uno");
      posts.remove(2);
      posts.create("three");
      await tab.getByText("three").waitFor();
      expect(await tab.locator("li").allTextContents()).toEqual(["uno", "three"]);
      expect((await posts.realtime.count({ topic: "post" })).sockets).toBe(1);
      expect(Number(await tab.locator("main").getAttribute("data-renders"))).toBeLessThan(30);
      await tab.evaluate("unmount()");
      await expect.poll(async () => (await posts.realtime.count({ topic: "post" })).sockets).toBe(0);
      expect(complaints).toEqual([]);
    },
  );
});
