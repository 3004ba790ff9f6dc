import { execFile } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, describe, expect, it } from "vitest";
import { codeBlocks } from "./code-blocks.js";
import { root } from "./source-files.js";

const documents = [
  "README.md",
  "docs/guide/getting-started.md",
  "docs/guide/realtime.md",
  "docs/guide/testing.md", // it has tests that `useFakeTimers`, so this file runs on its own clock
];

const runnerOf = (code: string): string | undefined => /from ["'](vitest|node:test)["']/.exec(code)?.[1];

// Beside the other tests, so that the package's own name means the sources for these files too.
const folder = join(root, "test", ".readme");
rmSync(folder, { recursive: true, force: true });
const tests = documents.flatMap((document) =>
  codeBlocks(document)
    .filter((block) => block.unchecked === undefined)
    .map((block) => {
      const path = join(folder, document, block.name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, block.code);
      return { document, path, where: `${document}:${block.line}`, code: block.code, runner: runnerOf(block.code) };
    })
    .filter(({ runner }) => runner !== undefined),
);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the tests that documents show", () => {
  it("are there", () => {
    expect(new Set(tests.map(({ document }) => document))).toEqual(new Set(documents));
  });

  it("are whole in at most 12 lines in README.md", () => {
    const long = tests.filter(({ document, code }) => document === "README.md" && code.trim().split("\n").length > 12);
    expect(long.map(({ where }) => where)).toEqual([]);
  });

  for (const { path, where } of tests.filter(({ runner }) => runner === "node:test")) {
    it(`pass under node:test (${where})`, { timeout: 30_000 }, async () => {
      await promisify(execFile)(process.execPath, ["--import", "tsx", "--test", path], { cwd: root });
    });
  }
});

// A block that imports vitest says its own tests here, as its own file would; its hooks are for these alone.
for (const { path, where } of tests.filter(({ runner }) => runner === "vitest")) {
  describe(where, async () => void (await import(/* @vite-ignore */ path)));
}
