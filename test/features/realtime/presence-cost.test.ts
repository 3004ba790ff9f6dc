import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Crowd, type Sent } from "./presence-crowd.js";

/**
 * The same with each change told by itself and the whole state in each answer, as it was: counted by these tests, and exact. Users are
 * called `user-0` and so on.
 */
const before: { readonly joins: Sent; readonly comeBack: Sent } = {
  joins: { frames: 501_500, bytes: 44_452_390 },
  comeBack: { frames: 1_000, bytes: 19_908_000 },
};

beforeEach(
  () =>
    void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance"] }),
);
afterEach(() => void vi.useRealTimers());

describe("presence of a thousand who join one a millisecond and come back within the grace period", () => {
  it.each([[500], [Number.POSITIVE_INFINITY]])(
    "costs what it must, with max %d",
    async (max) => {
      await using crowd = new Crowd({ max });
      await crowd.start();
      const users = Array.from({ length: 1_000 }, (_, n) => `user-${n}`);
      for (const user of users) {
        await crowd.enter(user);
        vi.advanceTimersByTime(1);
      }
      vi.advanceTimersByTime(100);
      const joins = crowd.take();
      expect(joins.frames).toBeLessThanOrEqual(before.joins.frames / 20);
      expect(joins.bytes).toBeLessThanOrEqual(before.joins.bytes / 3);
      const versions = users.map((user) => crowd.lose(user));
      vi.advanceTimersByTime(1_000);
      for (const [n, user] of users.entries()) await crowd.enter(user, versions[n]);
      vi.advanceTimersByTime(100);
      const comeBack = crowd.take();
      expect(comeBack.frames).toBe(1_000);
      expect(comeBack.bytes).toBeLessThanOrEqual(before.comeBack.bytes / 50);
    },
    60_000,
  );
});
