import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { deferred } from "../client/fixtures/deferred.js";
import { needs, program } from "../fixtures/needs.js";
import { openStage, phone, type Stage, type Window } from "./stage.js";

const SLOW = { timeout: 60_000 };

needs("chromium", "curl")("the posts, in windows of a browser", () => {
  let folder: string;
  let stage: Stage;
  let one: Window;
  let other: Window;

  const row = (title: string): string => `#posts li:has(.title:text-is("${title}"))`;

  async function write(window: Window, title: string, author = "Ada"): Promise<void> {
    await window.page.selectOption("#new [name=author]", author);
    await window.page.fill("#new [name=title]", title);
    await window.page.click("#new button");
  }

  /** What somebody does in a terminal. */
  function curl(method: string, path: string, data?: object): string {
    const sent = data ? ["-H", "content-type: application/json", "-d", JSON.stringify(data)] : [];
    return execFileSync(program("curl"), ["-sS", "-X", method, ...sent, stage.url + path], { encoding: "utf8" });
  }

  const shown = (window: Window): Promise<string[]> => window.page.locator("#posts .title").allTextContents();

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "socket-ingress-posts-"));
    stage = await openStage("posts", { DATABASE: join(folder, "posts.db") });
    one = await stage.open();
    other = await stage.open("", { cuttable: true });
    for (const window of [one, other]) await window.sees("#list-status", "live");
  }, 60_000);

  afterAll(async () => {
    await stage?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  it("a post that is written in one window is in both, and its change in their logs", SLOW, async () => {
    await write(one, "First");
    for (const window of [one, other]) {
      await window.sees(row("First"), "Ada");
      await window.sees("#count", "1 post");
      await window.sees("#log b", "POST");
    }
    await other.page.click("#log summary");
    await other.sees("#log pre", '"many": false');
  });

  it("an edit is seen everywhere, and whoever is editing the same post is told and goes on", SLOW, async () => {
    await other.page.click(`${row("First")} button:text("Edit")`);
    await other.page.fill("#posts [aria-label=Text]", "What I am writing");
    await one.page.click(`${row("First")} button:text("Edit")`);
    await one.page.fill("#posts [aria-label=Title]", "First, edited");
    await one.page.click("#posts .editor button:text('Save')");
    for (const window of [one, other]) await window.sees(".title", "First, edited");
    await other.sees(".news", "Somebody has changed this meanwhile");
    expect(await other.page.inputValue("#posts [aria-label=Text]")).toBe("What I am writing");
    await other.page.click("#posts .editor button:text('Cancel')");
    await other.misses("#posts .editor");
  });

  it("what the server refuses is taken back, with the reason", SLOW, async () => {
    await one.page.click(`${row("First, edited")} button:text("Edit")`);
    await one.page.fill("#posts [aria-label=Title]", "   ");
    await one.page.click("#posts .editor button:text('Save')");
    await one.sees("#posts .failed", "a title, please");
    await one.sees(row("First, edited"));
    await write(one, "  ");
    await one.sees("#new-failed", "a title, please");
    expect(await shown(one)).toEqual(["First, edited"]);
  });

  it("a row leaves where the filter turns it down, and comes back", SLOW, async () => {
    await other.page.check("#choice [name=drafts]");
    await other.sees(row("First, edited"));
    await one.page.click(`${row("First, edited")} button:text("Publish")`);
    await other.misses(row("First, edited"));
    await one.sees(`${row("First, edited")} .state`, "published");
    await one.page.click(`${row("First, edited")} button:text("Take back")`);
    await other.sees(row("First, edited"));
    await other.page.uncheck("#choice [name=drafts]");
  });

  it(
    "a row that is given to another author leaves the first one's list, and comes into the other's",
    SLOW,
    async () => {
      await write(one, "Of Bea", "Bea");
      await other.page.selectOption("#choice [name=author]", "Ada");
      await other.misses(row("Of Bea"));
      await other.sees(row("First, edited"));
      await one.page.click(`${row("Of Bea")} button:text("Edit")`);
      await one.page.selectOption("#posts [aria-label=Author]", "Ada");
      await one.page.click("#posts .editor button:text('Save')");
      await other.sees(row("Of Bea"), "Ada");
      curl("PATCH", "/posts/1", { author: "Cem" });
      await other.misses(row("First, edited"));
      await one.sees(row("First, edited"), "Cem");
      curl("PATCH", "/posts/1", { title: "First of Cem" });
      await one.sees(row("First of Cem"));
      expect(await shown(other)).toEqual(["Of Bea"]);
      await other.page.selectOption("#choice [name=author]", "");
      await other.sees(row("First of Cem"));
    },
  );

  it("is sorted as it is chosen, and stays so", SLOW, async () => {
    await other.page.selectOption("#choice [name=order]", "title");
    await expect.poll(() => shown(other)).toEqual(["First of Cem", "Of Bea"]);
    curl("POST", "/posts", { author: "Ada", title: "Just now" });
    await expect.poll(() => shown(other)).toEqual(["First of Cem", "Just now", "Of Bea"]);
    await expect.poll(() => shown(one)).toEqual(["Just now", "Of Bea", "First of Cem"]);
  });

  it("offline it is not up to date, and back it has what was missed", SLOW, async () => {
    await other.goOffline();
    await other.sees("#lost", "Connection lost");
    await other.sees("#list-status", "not up to date");
    curl("DELETE", "/posts/2");
    curl("POST", "/posts", { author: "Cem", title: "While you were away" });
    await one.sees(row("While you were away"));
    expect(await shown(other)).toContain("Of Bea");
    await other.goOnline();
    await other.sees("#list-status", "live");
    await expect.poll(() => shown(other)).toEqual(["First of Cem", "Just now", "While you were away"]);
  });

  it("the switch takes one window off the line and puts it back", SLOW, async () => {
    await one.page.click("#offline");
    await one.sees("#list-status", "not up to date");
    curl("PATCH", "/posts/1", { title: "Changed meanwhile" });
    await other.sees(row("Changed meanwhile"));
    // Longer than the page waits before it asks a server again that has sent it away.
    await one.page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 2_500)));
    await one.sees("#list-status", "not up to date");
    expect(await shown(one)).not.toContain("Changed meanwhile");
    await one.page.click("#offline");
    await one.sees(row("Changed meanwhile"));
    await one.sees("#list-status", "live");
  });

  for (const wire of ["EventSource", "WebSocket"]) {
    it(`the changes come by ${wire} as by Socket.IO, each once`, SLOW, async () => {
      await other.page.selectOption("#wire", wire);
      await other.sees("#wire-state", "live");
      const before = await other.page.locator("#log li").count();
      curl("PATCH", "/posts/1", { text: `Heard by ${wire}` });
      await other.sees(`#log li[data-wire="${wire}"]`, `Heard by ${wire}`);
      await one.sees('#log li[data-wire="Socket.IO"]', `Heard by ${wire}`);
      expect(await other.page.locator("#log li").count()).toBe(before + 1);
      const raw = (window: Window) => window.page.locator("#log pre").first().textContent();
      expect(await raw(other)).toBe(await raw(one));
    });
  }

  it("a terminal listens without a library", SLOW, async () => {
    const listening = spawn(program("curl"), ["-sN", `${stage.url}/events?topic=post/author/Cem`]);
    let heard = "";
    listening.stdout.on("data", (chunk: Buffer) => (heard += chunk.toString()));
    await expect.poll(() => heard).toContain("id: ");
    curl("PATCH", "/posts/1", { text: "Heard in a terminal" });
    await expect.poll(() => heard).toContain("Heard in a terminal");
    listening.kill("SIGKILL");
    expect(heard).toMatch(/^event: change\ndata: \{.*"model":"post","method":"PATCH","id":1,/m);
  });

  it("a terminal is told what is wrong", () => {
    expect(JSON.parse(curl("POST", "/posts", { author: "Zoe", title: "x" }))).toEqual({
      message: "an author has to be one of us",
    });
    expect(JSON.parse(curl("PATCH", "/posts/999", { title: "x" }))).toEqual({ message: "this post is gone" });
    expect(JSON.parse(curl("PATCH", "/posts/x", { title: "x" }))).toHaveProperty("message");
    expect(JSON.parse(curl("GET", "/posts?author=Ada"))).toMatchObject([{ title: "Just now" }]);
  });

  it("outlives a server that is started again, and shows what its file holds", SLOW, async () => {
    await other.page.selectOption("#wire", "EventSource");
    await other.sees("#wire-state", "live");
    await stage.restart();
    await other.sees("#wire-state", "some were missed"); // it comes back with an id of a log that is gone
    for (const window of [one, other]) await window.sees("#list-status", "live");
    expect(await shown(one)).toHaveLength(3);
    await write(one, "After all");
    await other.sees(row("After all"));
    await other.sees('#log li[data-wire="EventSource"]', "After all");
  });

  it("a post that is not saved yet is shown, and nothing is done with it until it is", SLOW, async () => {
    const saving = deferred<void>();
    await one.page.route("**/posts", async (route) => {
      await saving.promise;
      await route.continue();
    });
    await write(one, "Early");
    await one.sees(`${row("Early")} button:text("Edit"):disabled`);
    saving.resolve();
    await one.page.unrouteAll({ behavior: "wait" });
    await one.page.click(`${row("Early")} button:text("Delete")`);
    for (const window of [one, other]) await window.misses(row("Early"));
  });

  it("fits a phone", SLOW, async () => {
    const small = await stage.open("", phone);
    await small.sees(row("After all"));
    const wide = await small.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    expect(wide).toBeLessThanOrEqual(0);
    await small.close();
  });

  it("nothing went wrong on the page that was online", () => {
    const refused = /the server responded with a status of 40[04]|WebSocket connection to .* failed|ERR_CONNECTION/;
    const takenBack = /a row of the list of "post" was not saved, and is taken back Error: a title, please/;
    const complaints = one.complaints.filter((complaint) => !refused.test(complaint) && !takenBack.test(complaint));
    expect(complaints).toEqual([]);
    expect(one.complaints.filter((complaint) => takenBack.test(complaint))).toHaveLength(2);
  });
});
