import { afterAll, beforeAll, expect, it } from "vitest";
import { needs } from "../fixtures/needs.js";
import { openStage, type Stage, type Window, type WindowOptions } from "./stage.js";

const SLOW = { timeout: 60_000 };

needs("chromium")("the chat, in windows of a browser", () => {
  let stage: Stage;
  let ada: Window;
  let bob: Window;

  async function signIn(name: string, options?: WindowOptions): Promise<Window> {
    const window = await stage.open("", options);
    await window.page.fill("#name", name);
    await window.page.click("#sign-in button");
    await window.sees("#people", name);
    return window;
  }

  async function say(window: Window, text: string): Promise<void> {
    await window.page.fill("#text", text);
    await window.page.click("#composer button");
  }

  beforeAll(async () => {
    stage = await openStage("chat");
    ada = await signIn("Ada");
    bob = await signIn("Bob");
  }, 60_000);

  afterAll(() => stage?.[Symbol.asyncDispose]());

  it("two windows exchange messages, and each sees the reply to its own", SLOW, async () => {
    await say(ada, "hello from Ada");
    await bob.sees("#messages li", "hello from Ada");
    await say(bob, "hello from Bob");
    await ada.sees("#messages li", "hello from Bob");
    await ada.sees("#messages li.mine", "hello from Ada");
    await ada.sees("#log li", /Message\s*OK/);
  });

  it("shows who is here, once however many tabs they have, until the last tab is closed", SLOW, async () => {
    await ada.sees("#people li", "Bob");
    const cleo = await signIn("Cleo");
    const second = await cleo.another();
    await second.sees("#people li", "Cleo");
    await ada.sees("#people li", "Cleo");
    expect(await ada.page.locator("#people li").count()).toBe(3);
    await cleo.close();
    await second.sees("#people li", "Ada");
    expect(await ada.page.locator("#people li", { hasText: "Cleo" }).count()).toBe(1);
    await second.close();
    await ada.misses("#people li", "Cleo");
  });

  it("tells the others in the room who is typing, and takes it back with the message", SLOW, async () => {
    const typing = await ada.watches("#typing");
    await bob.page.fill("#text", "a long tho");
    await typing(/Bob is typing/);
    expect(await bob.page.locator("#typing").textContent()).toBe("");
    await bob.page.click("#composer button");
    await ada.sees("#messages li", "a long tho");
    expect(await ada.page.locator("#typing").textContent()).toBe("");
  });

  it("lists a room that somebody else opens, by a signal and a refetch", SLOW, async () => {
    await ada.page.fill("#room-name", "tea-break");
    await ada.page.click("#open-room button");
    await ada.sees("#room", "# tea-break");
    await bob.sees("#rooms li", "# tea-break");
    await say(ada, "anybody there?");
    await bob.sees("#rooms li", "anybody there?");
    // Bob is not in the room: he gets the news of it, not its messages.
    expect(await bob.page.locator("#messages li", { hasText: "anybody there?" }).count()).toBe(0);
    await bob.page.click("#rooms li:has-text('tea-break') button");
    await bob.sees("#messages li", "anybody there?");
    for (const window of [ada, bob]) {
      await window.page.click("#rooms li:has-text('lobby') button");
      await window.sees("#messages li", "hello from Ada");
    }
  });

  it("one feature refuses what the other would have posted", SLOW, async () => {
    await say(ada, "what the heck");
    await ada.sees("#log li", /Message\s*FORBIDDEN/);
    await ada.sees("#notice", "please mind your words");
    await say(ada, "what a day");
    await bob.sees("#messages li", "what a day");
    expect(await bob.page.locator("#messages li", { hasText: "heck" }).count()).toBe(0);
  });

  it("keeps the keyboard where it is when the rooms change", SLOW, async () => {
    await bob.page.focus("#rooms li:has-text('design') button");
    await say(ada, "something new for the list");
    await bob.sees("#rooms li", "something new for the list");
    expect(await bob.page.evaluate(() => document.activeElement?.textContent)).toContain("# design");
  });

  it("says in words what is wrong with what one typed, and keeps it", SLOW, async () => {
    await ada.page.fill("#room-name", "No Rooms!");
    await ada.page.click("#open-room button");
    await ada.sees("#notice", "2 to 24 letters, digits and dashes");
    await say(ada, "x".repeat(501));
    await ada.sees("#notice", "500 characters at most");
    expect(await ada.page.inputValue("#text")).toHaveLength(501);
    await say(ada, "short");
    await bob.sees("#messages li", "short");
    expect(await ada.page.inputValue("#text")).toBe("");
  });

  it("refuses a name that is taken, is none or is unreadable, without a stack", SLOW, async () => {
    const eve = await stage.open();
    for (const [name, refusal] of [
      ["Ada", "Ada is here already"],
      ["   ", "a name, please"],
    ] as const) {
      await eve.page.fill("#name", name);
      await eve.page.click("#sign-in button");
      await eve.sees("#refusal", refusal);
    }
    const post = (body: string): Promise<Response> =>
      fetch(`${stage.url}/sign-in`, { method: "POST", headers: { "content-type": "application/json" }, body });
    for (const body of ["{", "null", "[]", '{"name":{"length":1}}', '{"__proto__":{"name":"Eve"}}']) {
      const response = await post(body);
      expect(response.status).toBe(400);
      expect(Object.keys((await response.json()) as object)).toEqual(["message"]);
    }
    await eve.close();
  });

  it("a reload is no goodbye: the session brings back who one is, and nobody sees one leave", SLOW, async () => {
    await ada.page.evaluate(() => {
      const seen = new Set<number>();
      const people = document.querySelector("#people") as HTMLElement;
      new MutationObserver(() => seen.add(people.children.length)).observe(people, { childList: true });
      Object.assign(globalThis, { seen });
    });
    await bob.page.reload();
    await bob.sees("#people li", "Bob");
    await bob.sees("#messages li", "hello from Ada");
    expect(await ada.page.evaluate(() => [...(globalThis as unknown as { seen: Set<number> }).seen])).toEqual([]);
  });

  it("tells every tab of a browser what one says in another", SLOW, async () => {
    const second = await bob.another();
    await second.sees("#people li", "Bob");
    await say(bob, "from my first tab");
    await second.sees("#messages li.mine", "from my first tab");
    const typing = await ada.watches("#typing");
    await second.page.fill("#text", "typing in the second");
    await typing(/Bob is typing/);
    expect(await bob.page.locator("#typing").textContent()).toBe("");
    await second.close();
  });

  it("after a lost connection shows what was missed, and says once what was said without one", SLOW, async () => {
    const gus = await signIn("Gus", { cuttable: true });
    await gus.sees("#messages li", "hello from Ada");
    await gus.goOffline();
    await gus.sees("#lost", "Connection lost");
    await say(gus, "said without a connection");
    await say(bob, "said while Gus was away");
    await gus.goOnline();
    await gus.sees("#messages li", "said while Gus was away");
    await gus.sees("#messages li.mine", "said without a connection");
    await ada.sees("#messages li", "said without a connection");
    await gus.misses("#lost");
    await say(gus, "back again");
    await ada.sees("#messages li", "back again");
    for (const window of [ada, gus]) {
      expect(await window.page.locator("#messages li", { hasText: "said without a connection" }).count()).toBe(1);
    }
    await gus.close();
    await ada.misses("#people li", "Gus");
  });

  it(
    "what is said without a connection waits in sight for as long as it takes, and is said once, in order",
    SLOW,
    async () => {
      const hal = await signIn("Hal", { cuttable: true });
      await hal.sees("#messages li", "hello from Ada");
      await hal.page.clock.install();
      await hal.goOffline();
      await hal.sees("#lost", "What you send waits here and goes out when it is back");
      const lobby = Array.from({ length: 9 }, (_, at) => `said offline, ${at}`); // one more than may be said at once
      for (const text of lobby) await say(hal, text);
      await hal.page.click("#rooms li:has-text('design') button");
      await say(hal, "for the designers");
      await hal.page.clock.fastForward("05:00");
      expect(await hal.page.locator("#outbox p").allTextContents()).toEqual([...lobby, "for the designers"]);
      await hal.sees("#outbox li", /not sent yet · # lobby\s*said offline, 0/);
      await ada.page.click("#rooms li:has-text('design') button");

      await hal.goOnline();
      await ada.sees("#messages li", "for the designers");
      await bob.sees("#messages li", "said offline, 8");
      await hal.misses("#outbox li");
      await hal.sees("#messages li.mine", "for the designers");
      expect(await bob.page.locator("#messages li p", { hasText: "said offline" }).allTextContents()).toEqual(lobby);
      await bob.misses("#people li", "Hal"); // who stayed in the lobby until all was said
      await ada.page.click("#rooms li:has-text('lobby') button");
      await ada.sees("#messages li", "said offline, 8");
      await hal.close();
    },
  );

  it("hints at what comes while one reads further up, and leads there", SLOW, async () => {
    await ada.page.setViewportSize({ width: 1280, height: 420 });
    await ada.page.evaluate(() => (document.querySelector("#messages")!.scrollTop = 0));
    expect(await ada.page.locator("#newer").isVisible()).toBe(false);
    await say(bob, "below the fold, one");
    await ada.sees("#newer", "1 new message");
    await say(bob, "below the fold, two");
    await ada.sees("#newer", "2 new messages");
    expect(await ada.page.evaluate(() => document.querySelector("#messages")!.scrollTop)).toBe(0);
    await ada.page.click("#newer");
    await ada.misses("#newer");
    const shown = ada.page.locator("#messages li", { hasText: "below the fold, two" });
    await ada.page.waitForFunction(
      ([list, item]) => item.getBoundingClientRect().bottom <= list.getBoundingClientRect().bottom,
      [await ada.page.locator("#messages").elementHandle(), await shown.elementHandle()] as const,
    );
    await say(bob, "in sight");
    await ada.sees("#messages li", "in sight");
    expect(await ada.page.locator("#newer").isVisible()).toBe(false);
    await ada.page.setViewportSize({ width: 1280, height: 720 });
  });

  it(
    "leaves one who reads further up there when a connection comes back, with what was missed below",
    SLOW,
    async () => {
      const ivy = await signIn("Ivy", { cuttable: true, viewport: { width: 1280, height: 420 } });
      await ivy.sees("#messages li", "hello from Ada");
      await ivy.page.evaluate(() => (document.querySelector("#messages")!.scrollTop = 0));
      await ivy.goOffline();
      await ivy.sees("#lost");
      await say(bob, "while Ivy reads");
      await ivy.goOnline();
      await ivy.sees("#newer", "1 new message");
      expect(await ivy.page.evaluate(() => document.querySelector("#messages")!.scrollTop)).toBe(0);
      await ivy.close();
    },
  );

  it("shows a whole character of a name that begins with one of several code points", SLOW, async () => {
    for (const [initial, name] of [
      ["👩‍🚀", "👩‍🚀 Zoe"],
      ["🇩🇪", "🇩🇪 Uwe"],
      ["É", "e\u0301mile"],
    ] as const) {
      const window = await signIn(name);
      const shown = window.page.locator("#people li", { hasText: name }).locator(".avatar");
      expect((await shown.textContent())?.normalize()).toBe(initial);
      await window.close();
    }
  });

  it("the session's id rotates at login, targets every tab and never reaches a script", SLOW, async () => {
    const dora = await stage.open();
    const context = dora.page.context();
    const sessionId = async (): Promise<string> => {
      const cookie = (await context.cookies()).find(({ name }) => name === "connect.sid");
      expect(cookie).toMatchObject({ httpOnly: true });
      return /^s%3A([^.]+)\./.exec(cookie?.value ?? "")?.[1] ?? "no session";
    };
    await dora.sees("#sign-in");
    const before = await sessionId();

    const other = await context.newPage();
    const frames: string[] = [];
    other.on("websocket", (socket) => {
      socket.on("framereceived", ({ payload }) => frames.push(payload.toString()));
    });
    await other.goto(stage.url);
    await other.waitForSelector("#sign-in");
    await other.waitForFunction(() => document.querySelector("#status")?.textContent === "connected");

    await dora.page.fill("#name", "Dora");
    await Promise.all([dora.page.waitForResponse("**/sign-in"), dora.page.click("#sign-in button")]);
    await other.waitForSelector("#people li:has-text('Dora')"); // told by its session, on the socket it had
    const after = await sessionId();
    expect(after).not.toBe(before);

    await Promise.all([other.waitForResponse("**/sign-out"), other.click("#sign-out button")]);
    await dora.sees("#sign-in");
    await dora.misses("#people li");
    expect(await sessionId()).not.toBe(after);
    expect(await dora.page.evaluate(() => document.cookie)).toBe("");
    expect(frames.length).toBeGreaterThan(0);
    expect(frames.filter((frame) => frame.includes(before) || frame.includes(after))).toEqual([]);
    await context.close();
  });

  it(
    "answers the worst that a bad actor does, with codes and without secrets, and serves the others",
    SLOW,
    async () => {
      const mallory = await signIn("Mallory");
      const expected = {
        "No arguments": "INVALID_INPUT",
        "Wrong types": "INVALID_INPUT",
        "Missing field": "INVALID_INPUT",
        "Too many arguments": "INVALID_INPUT",
        "Half a megabyte": "INVALID_INPUT",
        "2,000 arrays deep": "INVALID_INPUT",
        "Unknown event": "UNKNOWN_EVENT",
        "Event named __proto__": "UNKNOWN_EVENT",
        "__proto__ in the data": "INVALID_INPUT",
        "Eavesdrop on a user": "FORBIDDEN",
        "Expired token": "UNAUTHENTICATED",
        "Stolen token": "UNAUTHENTICATED",
        "Make a handler throw": "INTERNAL",
        "Make a handler hang": "TIMEOUT",
        "Reply in circles": "INTERNAL",
      };
      expect(await mallory.page.locator("#attacks button").allTextContents()).toEqual([
        ...Object.keys(expected),
        "Flood of 2,000 events",
      ]);
      for (const label of Object.keys(expected))
        await mallory.page.getByRole("button", { name: label, exact: true }).click();
      await Promise.all(
        Object.entries(expected).map(([label, code]) => mallory.sees(`#log li:has-text("${label}")`, code)),
      );
      const pause = await mallory.watches("#pause");
      await mallory.page.getByRole("button", { name: "Flood of 2,000 events" }).click();
      await say(ada, "still there?");
      await bob.sees("#messages li", "still there?");
      await mallory.sees("#log li:has-text('Flood')", "RATE_LIMITED");
      await pause(/go on in \d+ s/);
      // Whatever the flood's events were answered, all of them were.
      await mallory.page.waitForFunction(() => {
        const lines = [...document.querySelectorAll("#log li")].filter((line) => line.textContent.includes("Flood"));
        const counted = lines.map((line) => Number(/×(\d+)/.exec(line.textContent)?.[1] ?? 1));
        return counted.reduce((sum, count) => sum + count, 0) === 2_000;
      });
      expect(await mallory.page.locator("#log").textContent()).not.toContain("hunter2");
      // It has used up what its sender may ask for, and theirs alone.
      await mallory.page.waitForFunction(() => document.querySelector("#pause")?.textContent === "");
      await say(mallory, "I am still served too");
      await ada.sees("#messages li", "I am still served too");
      expect(stage.running()).toBe(true);
      await mallory.close();
    },
  );

  it("counts down to when one may go on who says too much at once, and keeps what was not said", SLOW, async () => {
    const ken = await signIn("Ken");
    const pause = await ken.watches("#pause");
    // By the page itself: a busy machine is slower than is allowed if it is told each of them.
    await ken.page.evaluate(async () => {
      const sayIt = (n: number): void => {
        document.querySelector<HTMLInputElement>("#text")!.value = `as fast as I can, ${n}`;
        document.querySelector<HTMLFormElement>("#composer")!.requestSubmit();
      };
      for (let n = 1; n <= 8; n++) sayIt(n);
      // What has waited for a second is sent again, and not given back: the last one waits for none.
      const messages = document.querySelector("#messages")!;
      while (!messages.textContent.includes("I can, 8")) await new Promise((resolve) => setTimeout(resolve, 10));
      sayIt(9);
    });
    await pause(/go on in [1-5] s/);
    await ken.sees("#log li", /Message\s*RATE_LIMITED/);
    expect(await ken.page.inputValue("#text")).toBe("as fast as I can, 9");
    await ada.sees("#messages li", "as fast as I can, 8");
    await ken.page.waitForFunction(() => document.querySelector("#pause")?.textContent === "");
    await ken.page.click("#composer button");
    await ada.sees("#messages li", "as fast as I can, 9");
    await ken.close();
  });

  it("nothing went wrong on the pages", () => {
    expect([...ada.complaints, ...bob.complaints]).toEqual([]);
  });

  it(
    "outlives a server that is started again: who was forgotten is told, and comes back with one click",
    SLOW,
    async () => {
      await ada.page.click("#rooms li:has-text('tea-break') button");
      await ada.sees("#messages li", "anybody there?");
      await ada.page.fill("#text", "half a sentence");
      const jon = await signIn("Jon", { cuttable: true });
      await jon.goOffline();
      await jon.sees("#lost");
      await say(jon, "said to the server before");
      await stage.restart();
      await jon.goOnline();
      await ada.sees("#refusal", "sign in again");
      await bob.sees("#refusal", "sign in again");
      await ada.page.click("#sign-in button");
      await ada.sees("#people li", "Ada");
      await ada.sees("#room", "# lobby"); // the room of before is no more
      await ada.sees("#notice", 'there is no room "tea-break"');
      expect(await ada.page.inputValue("#text")).toBe("half a sentence");
      await bob.page.click("#sign-in button");
      await bob.sees("#people li", "Ada");
      await ada.page.click("#composer button");
      await bob.sees("#messages li", "half a sentence");
      expect(await bob.page.locator("#messages li").count()).toBe(1);
      await jon.sees("#refusal", "sign in again");
      await jon.page.click("#sign-in button");
      await bob.sees("#messages li", "said to the server before");
      await jon.misses("#outbox li");
    },
  );
});
