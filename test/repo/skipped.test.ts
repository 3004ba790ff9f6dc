import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { root } from "./source-files.js";

it("a run that skips tests says which and why", { timeout: 60_000 }, async () => {
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    [vitest, "run", "test/client/react.test.ts", "test/conformance/python.test.ts"],
    { cwd: root, env: { ...process.env, CI: "", NO_COLOR: "1", WITHOUT: "chromium,python" } },
  );
  expect(stdout).toMatch(/\d+ skipped/);
  const reasons = (stdout + stderr).split("\n").filter((line) => line.startsWith("skipped: "));
  expect(reasons.sort()).toEqual([
    "skipped: React in a browser (chromium missing: apt-get install chromium)",
    expect.stringMatching(/^skipped: python-socketio \(python missing: apt-get install python3-socketio/),
  ]);
});
