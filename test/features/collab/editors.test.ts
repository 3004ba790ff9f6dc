import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { needs, program } from "../../fixtures/needs.js";
import { openStage, type Stage } from "./stage.js";

const SLOW = { timeout: 60_000 };
const PATIENCE = { timeout: 30_000 };

needs("chromium")("a textarea, CodeMirror and Quill on one text", () => {
  let stage: Stage;
  let browser: Browser;
  const complaints: string[] = [];

  beforeAll(async () => {
    const { outputFiles } = await build({
      entryPoints: [fileURLToPath(new URL("fixtures/editors-page.ts", import.meta.url))],
      bundle: true,
      write: false,
      format: "esm",
    });
    stage = await openStage();
    stage.door.served.httpServer.on("request", (request, response) => {
      const { pathname } = new URL(request.url ?? "", "http://localhost");
      if (pathname === "/page.js") response.setHeader("content-type", "text/javascript").end(outputFiles[0]?.text);
      else if (pathname === "/")
        response
          .setHeader("content-type", "text/html; charset=utf-8")
          .end(
            '<!doctype html><title>Editors</title><link rel="icon" href="data:," /><main></main><script type="module" src="/page.js"></script>',
          );
    });
    browser = await chromium.launch({ executablePath: program("chromium"), args: ["--no-sandbox"] });
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await stage?.[Symbol.asyncDispose]();
  }, 60_000);

  async function open(editor: string): Promise<Page> {
    const page = await (await browser.newContext()).newPage();
    page.setDefaultTimeout(30_000);
    page.on("pageerror", (error) => complaints.push(String(error)));
    await page.goto(`${stage.door.served.url}/?editor=${editor}&user=${editor}`);
    await page.locator("body[data-ready]").waitFor();
    return page;
  }

  const fields = { textarea: "textarea", codemirror: ".cm-content", quill: ".ql-editor" };
  const shown = (page: Page): Promise<string> =>
    page.evaluate(() =>
      (
        document.querySelector("textarea")?.value ??
        document.querySelector(".cm-line, .ql-editor p")?.cloneNode(true).textContent ??
        ""
      ).replaceAll(/[\u2060]|(textarea|codemirror|quill)$/g, ""),
    );

  it("16. what is typed in one is in all of them, and Quill shows where the textarea points", SLOW, async () => {
    const pages = new Map<string, Page>();
    for (const editor of Object.keys(fields)) pages.set(editor, await open(editor));
    for (const [editor, page] of pages) {
      await page.click(fields[editor as keyof typeof fields]);
      await page.keyboard.press("End");
      await page.keyboard.type(`${editor[0]}1.`);
      await expect.poll(async () => (await stage.text()).includes(`${editor[0]}1.`), PATIENCE).toBe(true);
    }
    for (const word of ["t1", "c1", "q1"])
      for (const page of pages.values())
        await expect
          .poll(
            async () =>
              (await page.evaluate(() => String((window as unknown as { text: unknown }).text))).includes(word),
            SLOW,
          )
          .toBe(true);
    await expect.poll(() => shown(pages.get("textarea")!), PATIENCE).toContain("q1");
    // CodeMirror tells where it points while its window has the focus: test/examples/notes.test.ts has two of them.
    await pages.get("quill")!.locator(".ql-cursor", { hasText: "textarea" }).waitFor({ state: "attached" });
    expect(complaints).toEqual([]);
  });
});
