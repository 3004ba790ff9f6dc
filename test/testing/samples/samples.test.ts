import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** Runs a file under node:test in a process of its own, and waits until that ends by itself. */
function nodeTest(file: string): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const { NODE_TEST_CONTEXT: _, NODE_OPTIONS: __, ...env } = process.env;
    const child = spawn(
      process.execPath,
      ["--import", "tsx", "--test-reporter", "tap", `test/testing/samples/${file}`],
      {
        cwd: root,
        env,
      },
    );
    let output = "";
    child.stdout.on("data", (data) => (output += data));
    child.stderr.on("data", (data) => (output += data));
    child.once("error", reject);
    child.once("exit", (code) => resolve({ code, output }));
  });
}

test("the kit works under node:test and its fake timers", { timeout: 60_000 }, async () => {
  const { code, output } = await nodeTest("node-test.ts");
  expect(output).toContain("# pass 7");
  expect(output).toContain("# fail 0");
  expect(code).toBe(0);
});

test(
  "five hundred tests that close nothing leave nothing open: the process exits by itself",
  { timeout: 60_000 },
  async () => {
    const { code, output } = await nodeTest("five-hundred.ts");
    expect(output).toContain("# pass 500");
    expect(code).toBe(0);
  },
);
