import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "./source-files.js";

const guide = readFileSync(join(root, "docs/guide/security.md"), "utf8");
const rows = guide
  .split("\n")
  .filter((line) => line.startsWith("| ") && line.includes("`test/"))
  .map((line) => line.split("|").map((cell) => cell.trim()));

describe("the table of bounds in docs/guide/security.md", () => {
  it("has a row for each place that keeps something for a client", () => {
    expect(rows.length).toBeGreaterThan(20);
  });

  it.each(rows.map((row) => [row[1] ?? "", row.at(-2) ?? ""]))("%s: the test that holds it exists", (_what, cell) => {
    const [, file = "", name = ""] = /^`([^`]+)`: (.+)$/.exec(cell) ?? [];
    expect(existsSync(join(root, file))).toBe(true);
    expect(readFileSync(join(root, file), "utf8")).toContain(name);
  });
});
