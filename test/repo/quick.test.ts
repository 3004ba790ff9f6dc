import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { slow } from "../../vitest.config.js";
import { files, root } from "./source-files.js";

/** The pattern as an expression: `**` stands for folders, `*` for a part of a name. */
function expressionOf(glob: string): RegExp {
  const part = (text: string): string => text.replaceAll(".", "\\.").replaceAll("*", "[^/]*");
  return new RegExp(`^${glob.split("**").map(part).join(".*")}$`);
}

it("the quick run leaves out every test that asks for a program", () => {
  const asking = files("test", /\.test\.tsx?$/)
    .map((file) => `test/${file}`)
    .filter((file) => /^\s*needs\(/m.test(readFileSync(join(root, file), "utf8")));
  expect(asking.length).toBeGreaterThan(5);
  const leftOut = slow.map(expressionOf);
  expect(asking.filter((file) => !leftOut.some((pattern) => pattern.test(file)))).toEqual([]);
});

it("the quick run of every project leaves them out", { timeout: 60_000 }, async () => {
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [vitest, "list", "--mode", "quick", "--filesOnly", "--json"],
    { cwd: root },
  );
  const run = (JSON.parse(stdout) as { file: string }[]).map(({ file }) => relative(root, file));
  expect(run.length).toBeGreaterThan(100);
  const leftOut = slow.filter((glob) => !glob.includes("{")).map(expressionOf);
  expect(run.filter((file) => leftOut.some((pattern) => pattern.test(file)))).toEqual([]);
});
