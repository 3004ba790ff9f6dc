import { describe, expect, it } from "vitest";
import { makeTables } from "../../src/lifecycle/own-tables.js";

describe("the tables of a store", () => {
  it("are made though another node makes each of them, and each index, a moment before", async () => {
    const made = new Set<string>();
    const up = async (): Promise<void> => {
      for (const name of ["users", "rows", "unread", "age"]) {
        if (made.has(name)) continue;
        made.add(name);
        throw new Error(`duplicate key value violates unique constraint: ${name}`);
      }
    };
    await makeTables({ up }, undefined);
    expect(made.size).toBe(4);
  });

  it("say what is wrong when they can't be made", async () => {
    const up = async (): Promise<void> => {
      throw new Error("permission denied for schema public");
    };
    await expect(makeTables({ up }, undefined)).rejects.toThrow("permission denied");
  });
});
