import { expect, it } from "vitest";
import { type Place, replayOf, type Returning } from "../../../src/features/realtime/replay.js";
import type { LoggedEntry, Rendition } from "../../../src/push/topic-log.js";

const entry = (n: number, topics: string[], more: Partial<LoggedEntry> = {}): LoggedEntry => ({
  epoch: "e",
  n,
  topics,
  renditions: [[null, "said", [n]]],
  except: [],
  ...more,
});
const caughtUp = (entries: readonly LoggedEntry[], gaps: readonly string[] = []) => ({
  position: ["e", 10] as const,
  entries,
  gaps,
});
const back = (topic: string, from: Returning["from"], variant?: string): Returning => ({ topic, variant, from });
const nowhere = (): boolean => false;
const none: ReadonlyMap<string, Place> = new Map();
const numbers = (replay: ReturnType<typeof replayOf>): number[] => replay.frames.map(({ n }) => n);

it("what came after a position is sent in the order of the log, each once, whichever topics it is of", () => {
  const entries = [entry(3, ["a"]), entry(4, ["a", "b"]), entry(5, ["b"]), entry(6, ["c"])];
  const replay = replayOf(caughtUp(entries), [back("b", ["e", 2]), back("a", ["e", 3])], none, nowhere);
  expect([numbers(replay), replay.gaps]).toEqual([[4, 5], []]);
});

it("who is new has missed nothing; of another log, from the future, or too old, it is a gap", () => {
  const entries = [entry(3, ["a"])];
  for (const [from, gaps] of [
    [undefined, []],
    [["other", 2], ["a"]],
    [["e", 11], ["a"]],
  ] as const)
    expect(replayOf(caughtUp(entries), [back("a", from)], none, nowhere)).toEqual({ frames: [], gaps });
  expect(replayOf(caughtUp(entries, ["a"]), [back("a", ["e", 1])], none, nowhere)).toEqual({ frames: [], gaps: ["a"] });
});

it("a member is shown the rendition of their variant, and nothing that leaves them out", () => {
  const renditions: Rendition[] = [
    ["admin", "said", ["all"]],
    ["user", "said", ["part"]],
  ];
  const entries = [entry(3, ["a"], { renditions }), entry(4, ["a"], { except: ["room"] })];
  const shown = (variant: string, has = nowhere) =>
    replayOf(caughtUp(entries), [back("a", ["e", 2], variant)], none, has).frames.map(({ args }) => args[0]);
  expect([shown("admin"), shown("user"), shown("guest")]).toEqual([["all", 4], ["part", 4], [4]]);
  expect(shown("admin", (room?: string) => room === "room")).toEqual(["all"]);
});

it("what came by another topic meanwhile is not sent again, and what was before it can't be put behind it", () => {
  const places = new Map<string, Place>([["a", { since: 4, variant: undefined }]]);
  const had = [entry(5, ["a", "b"]), entry(6, ["b"])];
  expect(numbers(replayOf(caughtUp(had), [back("b", ["e", 4])], places, nowhere))).toEqual([6]);
  const before = [entry(3, ["b"]), entry(5, ["a", "b"])];
  expect(replayOf(caughtUp(before), [back("b", ["e", 2])], places, nowhere)).toEqual({ frames: [], gaps: ["b"] });
});
