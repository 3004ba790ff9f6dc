import { describe, expect, it } from "vitest";
import { PresenceFeed } from "../../../src/features/realtime/presence-feed.js";
import { PresenceView } from "../../../src/features/realtime/presence-view.js";
import type { PresenceNews } from "../../../src/features/realtime/protocol.js";

interface Fed {
  readonly feed: PresenceFeed;
  come(...users: string[]): void;
  go(...users: string[]): void;
  /** They come, and it is told. */
  told(...users: string[]): PresenceNews | undefined;
}

function start(max = Number.POSITIVE_INFINITY, view = new PresenceView()): Fed {
  const feed = new PresenceFeed("e", view, () => max);
  const come = (...users: string[]): void =>
    feed.changed("t", view.apply("here", { topic: "t", joined: users.map((user) => ({ user })) }));
  return {
    feed,
    come,
    go: (...users) => feed.changed("t", view.apply("here", { topic: "t", left: users })),
    told: (...users) => {
      come(...users);
      return feed.take("t");
    },
  };
}

describe("what the clients of a topic are told", () => {
  it("is what is different, together, by the last state of each user, and nothing when nothing is", () => {
    const { feed, come, go } = start();
    expect(feed.take("t")).toBeUndefined();
    come("ada");
    come("grace", "bob");
    go("bob");
    expect(feed.take("t")).toEqual({ version: ["e", 1], joined: ["ada", "grace"], left: ["bob"] });
    expect(feed.take("t")).toBeUndefined();
    go("ada", "grace");
    expect(feed.take("t")).toEqual({ version: ["e", 2], left: ["ada", "grace"] });
  });

  it("names a user alone, or with what is said of them", () => {
    const view = new PresenceView();
    const { feed } = start(9, view);
    feed.changed("t", view.apply("here", { topic: "t", joined: [{ user: "ada", info: { name: "Ada" } }] }));
    expect(feed.take("t")).toEqual({ version: ["e", 1], joined: [{ user: "ada", info: { name: "Ada" } }] });
  });
});

describe("who joins a topic", () => {
  it("is answered with everyone, those included who are not told of yet", () => {
    const { feed, come, told } = start();
    expect(feed.answer("t", undefined)).toEqual({ version: ["e", 0], state: [] });
    told("ada");
    come("grace");
    expect(feed.answer("t", undefined)).toEqual({ version: ["e", 1], state: ["ada", "grace"] });
  });

  it("is answered with nothing new, or with what is different, if the version it knows is known here", () => {
    const { feed, come, go, told } = start();
    told("ada", "bob", "cyd", "dan");
    expect(feed.answer("t", ["e", 1])).toEqual({ version: ["e", 1] });
    told("eve");
    go("ada");
    feed.take("t");
    expect(feed.answer("t", ["e", 2])).toEqual({ version: ["e", 3], left: ["ada"] });
    expect(feed.answer("t", ["e", 1])).toEqual({ version: ["e", 3], joined: ["eve"], left: ["ada"] });
    come("fay");
    expect(feed.answer("t", ["e", 3])).toEqual({ version: ["e", 3], joined: ["fay"] });
  });

  it.each([
    ["of another node", ["other", 2]],
    ["of a time to come", ["e", 3]],
    ["out of hand", ["e", -1]],
  ] as const)("is answered with everyone if the version is %s", (_, version) => {
    const { feed, told } = start();
    told("nobody knows");
    const view = feed.answer("t", version);
    expect(view).toMatchObject({ state: ["nobody knows"] });
  });

  it("is answered with everyone where that is no more than what is different, of which no more is kept", () => {
    const { feed, go, told } = start();
    told("ada", "bob", "cyd");
    for (let n = 0; n < 1_000; n++) {
      go("bob");
      feed.take("t");
      told("bob");
    }
    expect(feed.answer("t", ["e", 1])).toMatchObject({ state: ["ada", "cyd", "bob"] });
    expect(feed.answer("t", ["e", 2_000])).toEqual({ version: ["e", 2_001], joined: ["bob"] });
  });

  it("is answered with everyone where more have gone, who are not told of yet, than there are", () => {
    const { feed, go, told } = start();
    told("ada", "grace", "bob");
    const { version } = told("zoe") as PresenceNews;
    go("ada", "grace", "bob");
    expect(feed.answer("t", version)).toEqual({ version, state: ["zoe"] });
  });

  it("is not taken for one who knows those who came after all had left", () => {
    const { feed, go, told } = start();
    told("ada");
    go("ada");
    expect(feed.take("t")).toEqual({ version: ["e", 2], left: ["ada"] });
    const empty = feed.answer("t", ["e", 1]);
    expect(empty).toEqual({ version: ["e", 2], state: [] });
    told("bob");
    expect(feed.answer("t", ["e", 1])).toEqual({ version: ["e", 3], state: ["bob"] });
    expect(feed.answer("t", empty.version)).toEqual({ version: ["e", 3], joined: ["bob"] });
  });
});

describe("with more users than are listed", () => {
  const ten = Array.from({ length: 10 }, (_, n) => `u${n}`);

  it("clients are told how many there are, at once if they join, and listed again with a tenth fewer", () => {
    const { feed, come, go, told } = start(10);
    expect(told(...ten)).toMatchObject({ joined: ten });
    come("one too many");
    expect(feed.answer("t", ["e", 1])).toEqual({ version: ["e", 1], count: 11 });
    expect(feed.take("t")).toEqual({ version: ["e", 2], count: 11 });
    go("one too many");
    expect(feed.take("t")).toEqual({ version: ["e", 3], count: 10 });
    go("u0");
    expect(feed.answer("t", undefined)).toEqual({ version: ["e", 3], count: 9 });
    expect(feed.take("t")).toEqual({ version: ["e", 4], state: ten.slice(1) });
    expect(feed.answer("t", ["e", 4])).toEqual({ version: ["e", 4] });
  });

  it("who knew the list before is answered with the whole of it", () => {
    const { feed, go, told } = start(10);
    told(...ten);
    told("u10");
    go("u10", "u9");
    feed.take("t");
    for (const n of [1, 2]) expect(feed.answer("t", ["e", n])).toEqual({ version: ["e", 3], state: ten.slice(0, 9) });
  });

  it("nobody is ever listed with 0", () => {
    const { feed, go, told } = start(0);
    expect(told("ada")).toEqual({ version: ["e", 1], count: 1 });
    go("ada");
    expect(feed.take("t")).toEqual({ version: ["e", 2], state: [] });
  });
});
