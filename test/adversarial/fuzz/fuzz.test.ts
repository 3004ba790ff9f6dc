import { expect, test } from "vitest";

import { fuzzDispatch } from "./dispatch.js";
import { fuzzLive } from "./live.js";
import { isSoak, rounds } from "../../fixtures/soak.js";

// A new seed each time; the one that found something is in the failure, and can be set.
const seed = Number(process.env["FUZZ_SEED"] ?? Math.floor(Math.random() * 2 ** 31));

test(
  `${rounds(50_000)} random events dispatched by hand all come to an answer, and nothing escapes`,
  { timeout: 60_000 * (isSoak ? 10 : 1) },
  async () => {
    const { findings, outcomes, runs } = await fuzzDispatch({ seed, runs: rounds(50_000) });
    expect({ seed, findings }).toEqual({ seed, findings: [] });
    expect(Object.values(outcomes).reduce((sum, count) => sum + count, 0)).toBe(runs);
  },
);

test(
  `${rounds(10_000)} random frames over live sockets are all answered or refused, and nothing escapes`,
  { timeout: 60_000 * (isSoak ? 10 : 1) },
  async () => {
    const { findings, outcomes, runs } = await fuzzLive({ seed, runs: rounds(10_000) });
    expect({ seed, findings }).toEqual({ seed, findings: [] });
    expect(Object.values(outcomes).reduce((sum, count) => sum + count, 0)).toBe(runs);
  },
);
