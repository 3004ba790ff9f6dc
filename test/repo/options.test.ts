import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { root } from "./source-files.js";

it("docs/guide/options.md says what the options of all doors are now, and their doc comments the defaults of their tables", async () => {
  const check = promisify(execFile)(process.execPath, ["--import", "tsx", "scripts/options.ts", "--check"], {
    cwd: root,
  });
  await expect(check).resolves.toBeDefined();
}, 60_000);
