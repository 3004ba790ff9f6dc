import { execFile } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, describe, expect, it } from "vitest";
import { codeBlocks } from "./code-blocks.js";
import { root } from "./source-files.js";

const checked = codeBlocks("README.md").filter((block) => block.unchecked === undefined);
const runnerOf = (code: string): string | undefined => /from ["'](vitest|node:test)["']/.exec(code)?.[1];
const tests = checked.filter((block) => runnerOf(block.code) !== undefined);

// Beside the other tests, so that the package's own name means the sources for these files too.
const folder = join(root, "test", ".readme");
rmSync(folder, { recursive: true, force: true });
for (const block of checked) {
  const path = join(folder, block.name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, block.code);
}
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the tests that README.md shows", () => {
  it("are there", () => {
    expect(tests.length).toBeGreaterThan(0);
  });

  it("are whole in at most 12 lines", () => {
    const long = tests.filter((block) => block.code.trim().split("\n").length > 12);
    expect(long.map((block) => `README.md:${block.line}`)).toEqual([]);
  });

  for (const block of tests.filter(({ code }) => runnerOf(code) === "node:test")) {
    it(`pass under node:test (README.md:${block.line})`, { timeout: 30_000 }, async () => {
      await promisify(execFile)(process.execPath, ["--import", "tsx", "--test", join(folder, block.name)], {
        cwd: root,
      });
    });
  }
});

// A block that imports vitest says its own tests here, as its own file would.
for (const block of tests.filter(({ code }) => runnerOf(code) === "vitest")) {
  await import(/* @vite-ignore */ join(folder, block.name));
}
