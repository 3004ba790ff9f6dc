import { afterAll, describe, expect, test } from "vitest";

import { Contestant } from "./contestant.js";
import { play, type PlayOptions } from "./play.js";
import { scenarios, type Scenario } from "./scenarios.js";

const script = new URL("./server.ts", import.meta.url);
// A call that is not answered is a failure whatever the machine is doing, and it may do much; ending on time gets some slack as well.
const options: PlayOptions = { deadlineMs: 15_000, slackMs: 5_000 };

const named = (which: (scenario: Scenario) => boolean): [string, Scenario][] =>
  scenarios.filter(which).map((scenario) => [scenario.sentence, scenario]);

let shared: Contestant | undefined;

/** One process serves them all as long as it lives, so that a scenario also suffers from what those before it left behind. */
async function server(): Promise<Contestant> {
  if (shared?.isAlive !== true) shared = await Contestant.start(script);
  return shared;
}

afterAll(async () => shared?.[Symbol.asyncDispose]());

describe("Whatever goes wrong, every event is answered, nothing leaks and the server lives", () => {
  test.each(named(({ ends }) => !ends))("%s", async (_sentence, scenario) => {
    const verdict = await play(scenario, await server(), options);
    expect(verdict.complaints).toEqual([]);
    expect(verdict).toMatchObject({ survived: true, answered: true, leak: undefined });
  });
});

describe("A server that is shut down ends on time, with every call answered", () => {
  test.each(named(({ ends }) => ends === true))("%s", async (_sentence, scenario) => {
    // What is to run while it is shut down does so however long that takes to begin.
    await using own = await Contestant.start(script, { TIME_LIMIT_MS: "30000" });
    const verdict = await play(scenario, own, options);
    expect(verdict.complaints).toEqual([]);
    expect(verdict).toMatchObject({ survived: true, answered: true, leak: undefined });
  });
});
