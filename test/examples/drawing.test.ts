import { io } from "socket.io-client";
import { isFailure } from "socket-ingress";
import { afterAll, beforeAll, expect, it } from "vitest";
import { needs } from "../fixtures/needs.js";
import { openStage, phone, type Stage, type Window } from "./stage.js";

const SLOW = { timeout: 60_000 };
/** The first pen. */
const ink = "32,36,44";

needs("chromium")("the drawing, in windows of a browser", () => {
  let stage: Stage;
  let amber: Window;
  let coral: Window;

  async function at(window: Window, x: number, y: number): Promise<[number, number]> {
    const box = await window.page.locator("#canvas").boundingBox();
    if (box === null) throw new Error("the canvas is not shown");
    return [box.x + (x / 1600) * box.width, box.y + (y / 1000) * box.height];
  }

  async function draw(window: Window, ...[first, ...rest]: [[number, number], ...[number, number][]]): Promise<void> {
    const { mouse } = window.page;
    await mouse.move(...(await at(window, ...first)));
    await mouse.down();
    for (const point of rest) await mouse.move(...(await at(window, ...point)), { steps: 4 });
    await mouse.up();
  }

  const strokes = (window: Window, count: number): Promise<void> =>
    window.sees(`#canvas[aria-label="Drawing with ${count} strokes"]`);

  /** What colour a place on the board has, once it is painted. */
  async function painted(window: Window, x: number, y: number): Promise<string> {
    const color = await window.page.waitForFunction(
      ([x, y]) => {
        const canvas = document.querySelector("canvas") as HTMLCanvasElement;
        const [left, top] = [(x / 1600) * canvas.width, (y / 1000) * canvas.height];
        const copy = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
        copy?.drawImage(canvas, left, top, 1, 1, 0, 0, 1, 1);
        const [red, green, blue, alpha] = copy?.getImageData(0, 0, 1, 1).data ?? [];
        return alpha === 255 ? `${red},${green},${blue}` : undefined;
      },
      [x, y] as const,
    );
    return String(await color.jsonValue());
  }

  beforeAll(async () => {
    stage = await openStage("drawing");
    amber = await stage.open("/#studio");
    await amber.sees("#painters", "Amber Otter (you)");
    coral = await stage.open("/#studio", { cuttable: true });
    await coral.sees("#painters", "Coral Heron (you)");
  }, 60_000);

  afterAll(() => stage?.[Symbol.asyncDispose]());

  it("shows who draws, by the names that the server gave", SLOW, async () => {
    await amber.sees("#painters", "Coral Heron");
    await coral.sees("#painters", "Amber Otter");
  });

  it("a stroke in one window is in the other, in its colour, while it is being drawn", SLOW, async () => {
    await amber.page.check("input[aria-label=Red]");
    await amber.page.check("input[aria-label=Broad]");
    const { mouse } = amber.page;
    await mouse.move(...(await at(amber, 200, 200)));
    await mouse.down();
    await mouse.move(...(await at(amber, 800, 200)), { steps: 10 });
    await strokes(coral, 1);
    const red = "217,45,58";
    expect(await painted(coral, 500, 200)).toBe(red);
    await mouse.move(...(await at(amber, 800, 600)), { steps: 10 });
    await mouse.up();
    expect(await painted(coral, 800, 500)).toBe(red);
    expect(await painted(amber, 800, 500)).toBe(red);
  });

  it("shows the others' cursors with their names where they are, and not one's own", SLOW, async () => {
    await amber.page.mouse.move(...(await at(amber, 400, 750)));
    await coral.sees(".cursor", "Amber Otter");
    await coral.page.waitForFunction(() => {
      const { left, top } = (document.querySelector(".cursor") as HTMLElement).style;
      return Math.abs(parseFloat(left) - 25) < 0.5 && Math.abs(parseFloat(top) - 75) < 0.5;
    });
    expect(await amber.page.locator(".cursor", { hasText: "Amber" }).count()).toBe(0);
  });

  it("whoever comes late sees the same drawing, and what is drawn after that", SLOW, async () => {
    await draw(coral, [300, 400], [600, 700], [900, 300]);
    const late = await stage.open("/#studio");
    await strokes(late, 2);
    await strokes(amber, 2);
    const picture = (window: Window): Promise<string> =>
      window.page.evaluate(
        () =>
          new Promise<string>((resolve) => {
            const shot = (): void => resolve((document.querySelector("canvas") as HTMLCanvasElement).toDataURL());
            requestAnimationFrame(() => requestAnimationFrame(shot));
          }),
      );
    expect(await picture(late)).toBe(await picture(amber));
    await draw(amber, [1000, 800], [1400, 800]);
    await strokes(late, 3);
    expect(await painted(late, 1200, 800)).toBe("217,45,58");
    await late.close();
    await amber.misses("#painters", "Indigo");
  });

  it("another board is another drawing", SLOW, async () => {
    const other = await stage.open("/#attic");
    await other.sees("#board", "#attic");
    await draw(other, [100, 100], [200, 200]);
    await strokes(other, 1);
    await strokes(amber, 3);
    expect(await amber.page.locator(".cursor", { hasText: "Jade" }).count()).toBe(0);
    await other.page.evaluate(() => (location.hash = "studio"));
    await strokes(other, 3);
    await other.close();
  });

  it("one undoes one's own strokes only, and clears the board for everybody", SLOW, async () => {
    await coral.page.click("#undo");
    await strokes(amber, 2);
    expect(await painted(amber, 500, 200)).toBe("217,45,58");
    await coral.page.click("#undo"); // Coral has nothing left: Amber's strokes stay
    await draw(coral, [50, 50], [60, 60]);
    await strokes(amber, 3);
    await amber.page.click("#clear");
    for (const window of [amber, coral]) await strokes(window, 0);
  });

  it("a board cleared while somebody draws ends that stroke, for everybody alike", SLOW, async () => {
    const { mouse } = amber.page;
    await mouse.move(...(await at(amber, 300, 300)));
    await mouse.down();
    await mouse.move(...(await at(amber, 500, 300)), { steps: 4 });
    await strokes(coral, 1);
    await coral.page.click("#clear");
    await strokes(amber, 0);
    await mouse.move(...(await at(amber, 700, 300)), { steps: 4 });
    await mouse.up();
    await draw(amber, [700, 700], [800, 800]);
    for (const window of [amber, coral]) await strokes(window, 1);
    expect(await amber.page.textContent("#notice")).toBe("");
  });

  it("a reload brings back who one is, and one's strokes are still one's own", SLOW, async () => {
    await amber.page.reload();
    await amber.sees("#painters", "Amber Otter (you)");
    await strokes(amber, 1);
    await draw(amber, [100, 900], [200, 900]);
    await strokes(coral, 2);
    await amber.page.click("#undo");
    await strokes(coral, 1);
    await amber.page.click("#undo"); // the one of before the reload
    await strokes(coral, 0);
  });

  it("two tabs of one painter are one painter, who sees in one what is drawn in the other", SLOW, async () => {
    const token = await amber.page.evaluate(() => sessionStorage.getItem("token"));
    const second = await amber.another(); // a painter of its own, until it has the other tab's token
    await second.sees("#painters", "(you)");
    await second.page.evaluate((known) => sessionStorage.setItem("token", known ?? ""), token);
    await second.page.reload();
    await second.sees("#painters", "Amber Otter (you)");
    await coral.misses("#painters li:nth-child(3)");
    await draw(second, [100, 100], [300, 100]);
    await strokes(amber, 1);
    await draw(amber, [100, 200], [300, 200]);
    for (const window of [second, coral]) await strokes(window, 2);
    expect(await second.page.locator(".cursor", { hasText: "Amber" }).count()).toBe(0);
    await second.close();
    await draw(amber, [100, 300], [300, 300]);
    await strokes(coral, 3);
    await coral.sees("#painters", "Amber Otter");
    await amber.page.click("#clear");
    await strokes(coral, 0);
  });

  it("is as large as a phone has room for, and shows the part that one wants to see", SLOW, async () => {
    const hand = await stage.open("/#pocket", phone);
    await hand.sees("#canvas[data-empty]");
    const desk = await stage.open("/#pocket");
    await desk.sees("#canvas[data-empty]");
    await hand.sees("#paper:not(.closed)");
    const paper = await hand.page.locator("#paper").boundingBox();
    expect(paper?.height).toBeGreaterThan(844 * 0.6);
    expect((paper?.width ?? 0) / (paper?.height ?? 1)).toBeCloseTo(1.6, 1); // and nothing on it is distorted

    // The middle of the board is in sight at first; with the slider its left edge is.
    await draw(hand, [800, 300], [800, 700]);
    await strokes(desk, 1);
    expect(await painted(desk, 800, 500)).toBe(ink);
    await hand.page.fill("#pan", "0");
    await hand.page.waitForFunction(() => document.querySelector("#view")!.scrollLeft === 0);
    await draw(hand, [100, 300], [100, 700]);
    await strokes(desk, 2);
    expect(await painted(desk, 100, 500)).toBe(ink);

    // Two fingers move the board, and what the first of them began is no stroke.
    const fingers = await hand.page.context().newCDPSession(hand.page);
    const touch = (type: "touchStart" | "touchMove" | "touchEnd", ...xs: number[]): Promise<unknown> =>
      fingers.send("Input.dispatchTouchEvent", { type, touchPoints: xs.map((x, id) => ({ x, y: 400, id })) });
    await touch("touchStart", 300);
    await touch("touchMove", 320);
    await strokes(desk, 3);
    await touch("touchStart", 320, 340);
    await touch("touchMove", 220, 240);
    await touch("touchEnd");
    await strokes(desk, 2);
    await strokes(hand, 2);
    const moved = await hand.page.evaluate(() => document.querySelector("#view")!.scrollLeft);
    expect(Math.round(moved)).toBe(100);
    await draw(hand, [500, 300], [500, 700]); // one finger draws as before
    await strokes(desk, 3);
    for (const window of [hand, desk]) await window.close();
  });

  it("a pen has the same colour for all, by day and by night", SLOW, async () => {
    const night = await stage.open("/#night", { colorScheme: "dark" });
    const day = await stage.open("/#night", { colorScheme: "light" });
    await day.sees("#paper:not(.closed)");
    await night.sees("#paper:not(.closed)");
    const colors = await night.page.locator("input[name=color]").count();
    for (let color = 0; color < colors; color++) {
      await night.page.check(`input[name=color][value="${color}"]`);
      await draw(night, [200, 100 + 100 * color], [1400, 100 + 100 * color]);
    }
    await strokes(day, colors);
    expect(await painted(day, 800, 100)).toBe(ink);
    for (let color = 0; color < colors; color++) {
      expect(await painted(night, 800, 100 + 100 * color)).toBe(await painted(day, 800, 100 + 100 * color));
    }
    const paper = (window: Window): Promise<string> =>
      window.page.evaluate(() => getComputedStyle(document.querySelector("#paper")!).backgroundColor);
    expect(await paper(night)).toBe(await paper(day));
    for (const window of [night, day]) await window.close();
  });

  it("draws with the keyboard too", SLOW, async () => {
    const { keyboard } = amber.page;
    await amber.page.focus("#canvas");
    for (const key of [" ", "ArrowRight", "ArrowRight", "ArrowDown", "ArrowDown", " ", "ArrowLeft"]) {
      await keyboard.press(key);
    }
    await amber.sees(".cursor", "Amber Otter"); // one's own, as there is no pointer to be seen
    await strokes(coral, 1);
    await painted(coral, 830, 500);
    await amber.page.focus("#undo");
    await amber.misses(".cursor", "Amber Otter");
    await keyboard.press("Enter");
    await strokes(coral, 0);
  });

  it(
    "without a connection nobody draws what would not arrive; with it the board is as the others see it",
    SLOW,
    async () => {
      await coral.goOffline();
      await coral.sees("#lost", "Connection lost");
      await draw(coral, [400, 400], [600, 400]);
      await strokes(coral, 0);
      await draw(amber, [400, 600], [600, 600]);
      await coral.goOnline();
      await strokes(coral, 1);
      await coral.misses("#lost");
      await coral.sees("#painters", "Coral Heron (you)");
      await draw(coral, [400, 800], [600, 800]);
      await strokes(amber, 2);
      await amber.page.click("#clear");
      await strokes(coral, 0);
    },
  );

  it("answers a program that follows no rules, and draws nothing of it", SLOW, async () => {
    const vandal = io(stage.url, { transports: ["websocket"] });
    try {
      const ask = async (event: string, ...args: unknown[]): Promise<string | undefined> => {
        const reply: unknown = await vandal.timeout(20_000).emitWithAck(event, ...args);
        return isFailure(reply) ? reply.error.code : undefined;
      };
      const piece = { board: "studio", stroke: "a", at: 0, color: 1, width: 8, points: [[10, 10]] };
      expect(await ask("draw", piece)).toBe("FORBIDDEN"); // not at the board
      expect(await ask("clear", { board: "studio" })).toBe("FORBIDDEN");
      await vandal.timeout(20_000).emitWithAck("ingress:join", "board:studio");
      expect(await ask("draw", { ...piece, at: 7 })).toBe("CONFLICT");
      for (const bad of [
        { points: [] },
        { points: [[10, 10_000]] },
        { points: Array.from({ length: 501 }, () => [1, 1]) },
        { points: [["1", 1]] },
        { color: 6 },
        { color: "red" },
        { width: Infinity },
        { stroke: "../../a" },
        { board: "__proto__" },
      ]) {
        expect(await ask("draw", { ...piece, ...bad })).toBe("INVALID_INPUT");
      }
      await strokes(amber, 0);
    } finally {
      vandal.close();
    }
    await amber.misses("#painters li:nth-child(3)");
  });

  it("a cursor goes with its painter", SLOW, async () => {
    await amber.page.mouse.move(...(await at(amber, 400, 500)));
    await coral.sees(".cursor", "Amber Otter");
    await amber.close();
    await coral.misses(".cursor");
    await coral.misses("#painters", "Amber Otter");
    expect(stage.running()).toBe(true);
  });

  it("nothing went wrong on the pages", () => {
    expect(amber.complaints).toEqual([]);
  });

  it("outlives a server that is started again: the board is a new one, and is drawn on as before", SLOW, async () => {
    await draw(coral, [400, 400], [600, 400]);
    await strokes(coral, 1);
    await stage.restart();
    await strokes(coral, 0);
    const fresh = await stage.open("/#studio");
    await draw(coral, [400, 400], [600, 400]);
    await strokes(fresh, 1);
    expect(await coral.page.textContent("#notice")).toBe("");
  });
});
