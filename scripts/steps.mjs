// Runs named steps one after another, all of them even if one fails, and says at the end which did.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The folder of package.json; every command runs there. */
export const root = fileURLToPath(new URL("..", import.meta.url));

/**
 * Runs a command and resolves to its exit code and what it printed.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd?: string, echo?: boolean }} [options] `echo` shows the output while it comes
 * @returns {Promise<{ code: number, output: string }>}
 */
export function run(command, args, { cwd = root, echo = false } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk) => {
        output += chunk;
        if (echo) process.stdout.write(chunk);
      });
    }
    child.on("error", reject);
    child.on("close", (code) => resolve({ code: code ?? 1, output }));
  });
}

/**
 * Like {@link run}, but a failing command is an error with its output.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd?: string }} [options]
 */
export async function mustRun(command, args, options) {
  const { code, output } = await run(command, args, options);
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${code}:\n${output}`);
  return output;
}

/**
 * @param {[name: string, step: () => Promise<unknown>][]} steps
 * @returns {Promise<boolean>} whether all of them passed
 */
export async function runSteps(steps) {
  const failed = [];
  for (const [name, step] of steps) {
    const started = performance.now();
    const seconds = () => `${((performance.now() - started) / 1000).toFixed(1)} s`;
    try {
      await step();
      console.log(`ok      ${name} (${seconds()})`);
    } catch (error) {
      failed.push(name);
      console.log(`${error instanceof Error ? error.message : String(error)}\nFAILED  ${name} (${seconds()})`);
    }
  }
  if (failed.length > 0) console.log(`\n${failed.length} of ${steps.length} failed: ${failed.join(", ")}`);
  return failed.length === 0;
}
