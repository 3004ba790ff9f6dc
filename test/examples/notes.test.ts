import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { needs } from "../fixtures/needs.js";
import { openStage, phone, type Stage, type Window } from "./stage.js";

const SLOW = { timeout: 60_000 };

needs("chromium")("the notes, in windows of a browser", () => {
  let folder: string;
  let stage: Stage;
  let one: Window;
  let other: Window;
  let address: string;

  const text = (window: Window): Promise<string> =>
    window.page.evaluate(
      () =>
        document.querySelector("textarea")?.value ??
        [...document.querySelectorAll(".cm-line")]
          .map((line) => {
            const copy = line.cloneNode(true) as HTMLElement;
            for (const caret of copy.querySelectorAll(".cm-ySelectionCaret")) caret.remove();
            return copy.textContent;
          })
          .join("\n"),
    );
  const shows = async (window: Window, expected: string): Promise<void> => {
    await expect.poll(() => text(window)).toBe(expected);
  };

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "socket-ingress-notes-"));
    stage = await openStage("notes", { DATABASE: join(folder, "notes.db") });
    one = await stage.open();
    await one.sees(".cm-content");
    address = new URL(one.page.url()).search;
    other = await stage.open(`/${address}`, { cuttable: true });
    await other.sees(".cm-content");
  }, 60_000);

  afterAll(async () => {
    await stage?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  it(
    "16. two windows type at once, each sees the other's caret with name and colour, and Saving… becomes Saved",
    SLOW,
    async () => {
      await one.page.click(".cm-content");
      const saving = await one.watches("#saving");
      await one.page.keyboard.type("From one. ");
      await saving(/Saving…/);
      await shows(other, "From one. ");
      await other.page.click(".cm-content");
      await Promise.all([one.page.keyboard.type("aaaa"), other.page.keyboard.type("bbbb")]);
      await expect.poll(async () => (await text(one)).length).toBe("From one. aaaabbbb".length);
      await shows(other, await text(one));
      await one.sees("#saving", "Saved");
      await other.sees("#saving", "Saved");
      await one.sees(".cm-ySelectionInfo", "Bea");
      await other.sees(".cm-ySelectionInfo", "Ada");
      const colour = await one.page
        .locator(".cm-ySelectionCaret")
        .first()
        .evaluate((caret) => getComputedStyle(caret).backgroundColor);
      expect(colour).toMatch(/^rgb\(/);
      for (const window of [one, other])
        expect((await window.page.locator("#users li").allTextContents()).toSorted((a, b) => (a < b ? -1 : 1))).toEqual(
          ["Ada", "Bea"],
        );
    },
  );

  it("undo takes back what was typed in this window only, by key and by button", SLOW, async () => {
    await one.page.waitForTimeout(600); // what is typed within half a second is undone together
    const before = await text(one);
    await other.page.keyboard.type("!");
    await shows(one, await text(other));
    const kept = await text(one);
    expect(kept).toHaveLength(before.length + 1);
    await one.page.keyboard.press("Control+End");
    await one.page.keyboard.type("oops");
    await shows(other, await text(one));
    // Once, or on a busy machine once for each half a second in which something was typed.
    const undone = async (): Promise<string> => {
      const now = await text(one);
      if (now !== kept) await one.page.keyboard.press("Control+z");
      return now;
    };
    await expect.poll(undone).toBe(kept);
    await shows(other, kept);
  });

  it("a window that goes offline says so, goes on, and merges when it comes back", SLOW, async () => {
    await other.goOffline();
    await other.sees("#lost", "You are offline");
    await other.page.keyboard.press("Control+Home");
    await other.page.keyboard.type("offline ");
    await other.sees("#saving", "Saving…");
    await one.sees("#users li", "Ada");
    await one.page.keyboard.press("Control+End");
    await one.page.keyboard.type(" online");
    await one.sees("#saving", "Saved");
    await other.goOnline();
    await other.misses("#lost");
    await expect.poll(() => text(one)).toMatch(/^offline .* online$/);
    await shows(other, await text(one));
    await other.sees("#saving", "Saved");
  });

  it("a textarea edits the same note, and its caret stays where it is when others write before it", SLOW, async () => {
    await other.page.check("#plain");
    await other.sees("textarea");
    await shows(other, await text(one));
    await other.page.evaluate(() => {
      const area = document.querySelector("textarea")!;
      area.focus();
      area.setSelectionRange(8, 8);
    });
    await one.page.keyboard.press("Control+Home");
    await one.page.keyboard.type("12345");
    await shows(other, await text(one));
    expect(await other.page.evaluate(() => document.querySelector("textarea")!.selectionStart)).toBe(13);
    await other.page.keyboard.type("😀x");
    await expect.poll(() => text(one)).toContain("😀x");
    await shows(other, await text(one));
  });

  it("a read-only link shows the note as it changes, and nobody can write there", SLOW, async () => {
    const link = await one.page.getAttribute("#reading", "href");
    const reader = await stage.open(`/${link}`);
    await reader.sees("#read-only", "Read only");
    await shows(reader, await text(one));
    await reader.page.click(".cm-content");
    await reader.page.keyboard.type("no");
    await one.page.keyboard.press("Control+End");
    await one.page.keyboard.type(" seen");
    await expect.poll(() => text(reader)).toContain(" seen");
    expect(await text(reader)).not.toContain("no ");
    await reader.page.check("#plain");
    await reader.sees("textarea[readonly]");
    await reader.close();
  });

  it("new notes are in the list under their first line, and old ones are there after a restart", SLOW, async () => {
    const before = await text(one);
    await one.sees("#saving", "Saved");
    await stage.restart();
    await one.misses("#lost");
    await one.page.click("#new");
    await one.sees(".note[aria-current]", "New note");
    await one.page.click(".cm-content");
    await one.page.keyboard.type("Shopping\nmilk");
    await one.sees(".note[aria-current]", "Shopping");
    await one.sees("#saving", "Saved");
    await one.page.locator(".note").nth(1).click();
    await one.sees(".cm-content");
    await shows(one, before);
  });

  it.each([
    ["a phone", phone],
    ["the dark", { colorScheme: "dark" as const }],
  ])("fits %s", SLOW, async (name, options) => {
    const window = await stage.open(`/${address}`, options);
    await window.sees(".cm-content");
    await window.sees("#saving", "Saved");
    const tooWide = await window.page.evaluate(() => {
      const { scrollWidth, clientWidth } = document.documentElement;
      return scrollWidth - clientWidth;
    });
    expect(tooWide).toBeLessThanOrEqual(0);
    const shots = process.env["SHOTS"];
    if (shots) await window.page.screenshot({ path: join(shots, `notes-${name.replaceAll(" ", "-")}.png`) });
    if (shots) await one.page.screenshot({ path: join(shots, "notes-desktop.png") });
    expect(window.complaints).toEqual([]);
    await window.close();
  });
});
