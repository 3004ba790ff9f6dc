import { describe, it } from "vitest";
import { isSoak, rounds } from "../../fixtures/soak.js";
import { servePosts } from "./posts-by-hand.js";
import { storm } from "./storm.js";

describe("500 changes in 2.5 s, 8 cuts, slow loads: the list is the table at the end, and no row was ever shown older", () => {
  it.each([
    ["a history that reaches", 1_000, 50],
    ["a history of 20", 20, 20],
  ])("with %s", { timeout: isSoak ? 600_000 : 120_000 }, async (_, keep, times) => {
    for (let round = 0; round < rounds(times); round++) {
      await using posts = await servePosts({ history: { keep, maxAgeMs: 60_000 } });
      await storm(
        {
          created: (row) => posts.tell({ method: "POST", id: row.id, payload: row }),
          updated: (row) => posts.tell({ method: "PATCH", id: row.id, payload: row }),
          deleted: (old) => posts.tell({ method: "DELETE", id: old.id, payload: old }),
          enter: () => posts.reader(),
        },
        round + keep,
      );
    }
  });
});
