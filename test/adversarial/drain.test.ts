import { expect, test } from "vitest";

import { runDrain } from "./drain.js";

test(
  "a shutdown with a thousand calls running and a deaf peer delivers a thousand replies and ends on time",
  { timeout: 30_000 },
  async () => {
    const report = await runDrain({ clients: 20, calls: 50, callMs: 500, graceMs: 3_000 });
    expect(report).toMatchObject({ delivered: 1_000, code: 0 });
    // The process is promised to be gone half a second after the grace period; it has a machine to itself seldom, and gets another.
    expect(report.endedAfterMs).toBeLessThan(3_000 + 500 + 1_000);
  },
);
