import { build } from "esbuild";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import type { Server } from "socket.io";
import { Realtime } from "socket-ingress/realtime";
import { ServiceManager } from "socket-ingress";
import { expect, it } from "vitest";
import { needs, program } from "../fixtures/needs.js";
import { recordingLog } from "../fixtures/recording-log.js";
import { serve } from "../fixtures/serve.js";

interface ClientToServer {
  get_items(reply: (items: string[]) => void): void;
  add_item(item: string, reply: (r: { ok: true }) => void): void;
}
interface ServerToClient {
  items_changed(): void;
}
type App = Server<ClientToServer, ServerToClient>;

/** The page as a browser gets it. */
async function page(): Promise<{ script: string; inputs: string[] }> {
  const { outputFiles, metafile } = await build({
    entryPoints: [fileURLToPath(new URL("fixtures/react-app.tsx", import.meta.url))],
    bundle: true,
    write: false,
    metafile: true,
    format: "esm",
    jsx: "automatic",
    define: { "process.env.NODE_ENV": '"development"' },
  });
  return { script: outputFiles[0]?.text ?? "", inputs: Object.keys(metafile.inputs) };
}

needs("chromium")("React in a browser", () => {
  it(
    "shows a module by useSyncExternalStore, in strict mode, and stops it with the component",
    { timeout: 60_000 },
    async () => {
      const { script } = await page();
      await using app = await serve<App>();
      const items: string[] = [];
      const realtime = new Realtime<App>({ user: () => "ann" });
      realtime.topics.define("items", { public: true, presence: true });
      const manager = new ServiceManager<App>(app.io, { logger: recordingLog(), closeServer: false });
      manager.registerHandler(realtime);
      manager.ingress
        .on("get_items", () => [...items])
        .on("add_item", (_, item) => {
          items.push(item);
          void realtime.emitSocket("items_changed", undefined, { topic: "items" });
          return { ok: true as const };
        });
      await manager.boot();
      app.httpServer.on("request", (request, response) => {
        if (request.url === "/app.js") response.setHeader("content-type", "text/javascript").end(script);
        else if (request.url === "/") {
          response.setHeader("content-type", "text/html");
          response.end(
            '<!doctype html><title>Items</title><div id="root"></div><script type="module" src="/app.js"></script>',
          );
        } else if (request.url === "/favicon.ico") response.end();
      });

      await using browser = await chromium.launch({ executablePath: program("chromium"), args: ["--no-sandbox"] });
      const tabs = [await browser.newPage(), await browser.newPage()] as const;
      const complaints: string[] = [];
      for (const tab of tabs) {
        tab.on(
          "console",
          (message) => void (["error", "warning"].includes(message.type()) && complaints.push(message.text())),
        );
        tab.on("pageerror", (error) => void complaints.push(String(error)));
        await tab.goto(app.url);
        await tab.getByText("ann", { exact: true }).waitFor();
      }

      await tabs[0].getByRole("button").click();
      for (const tab of tabs) await tab.getByText("item 1").waitFor();
      await tabs[1].getByRole("button").click();
      for (const tab of tabs) await tab.getByText("item 2").waitFor();
      expect(await realtime.count({ topic: "items" })).toMatchObject({ sockets: 2 });

      await tabs[0].evaluate("unmount()");
      await expect.poll(async () => (await realtime.count({ topic: "items" })).sockets).toBe(1);
      expect(await tabs[1].locator("main").getAttribute("data-renders").then(Number)).toBeLessThan(20);
      expect(complaints).toEqual([]);
      await manager.shutdown({ graceMs: 0 });
    },
  );
});
