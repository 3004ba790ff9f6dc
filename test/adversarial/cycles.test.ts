import { expect, test } from "vitest";

import { runCycles } from "./cycles.js";
import { isSoak, rounds } from "../fixtures/soak.js";

test.each(["stays", "leaves"] as const)(
  "hundreds of set-ups and tear-downs under traffic leave nothing behind and lose nothing (the ingress %s)",
  { timeout: 60_000 * (isSoak ? 10 : 1) },
  async (ingress) => {
    const report = await runCycles({ cycles: rounds(3_000), ingress });
    const { timers, ...after } = report.after;
    const { timers: timersBefore, ...before } = report.before;
    expect(after).toEqual(before);
    expect(timers).toBeLessThanOrEqual(timersBefore);
    if (ingress === "leaves") {
      // Socket.IO has no way to take a namespace's middleware off again, so that one of ours stays, however many there were; and
      // the default logger, pino, has one listener for the end of the process, however many loggers there are.
      const { timers: _, middlewares, process, ...pristine } = report.pristine;
      expect(after).toEqual({
        ...pristine,
        middlewares: middlewares + 1,
        process: expect.toBeOneOf([process, process + 1]),
      });
    }
    expect(report).toMatchObject({ late: 0, remembered: 0, calls: { other: 0, served: report.runs } });
    expect(report.runs).toBeGreaterThanOrEqual(rounds(3_000));
  },
);
