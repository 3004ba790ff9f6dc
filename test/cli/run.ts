import type { ManagerDescription } from "socket-ingress";
import { runCommand } from "../../src/cli/command-line.js";
import { describeModule } from "../../src/cli/describe-module.js";
import { root } from "../repo/source-files.js";

/** As the sources themselves are run. */
const execArgv = ["--import", "tsx"];

/** What a command has said. */
export interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command as the bin does, from the root of the repository, on a terminal of so many columns. */
export async function command(args: readonly string[], columns = 100): Promise<Said> {
  let [out, err] = ["", ""];
  const code = await runCommand(args, {
    stdout: { write: (text) => (out += text), columns },
    stderr: { write: (text) => (err += text) },
    env: { ...process.env, NODE_OPTIONS: "" },
    execArgv,
    cwd: () => root,
  });
  return { code, out, err };
}

/** What is found in a module, as the commands are given it. */
export function described(module: string, start = false): Promise<ManagerDescription> {
  const env = { ...process.env, NODE_OPTIONS: "" };
  return describeModule({ module, name: undefined, start, timeoutMs: 60_000, cwd: root, env, execArgv });
}

/** What a command says with `--json`. */
export async function told<T>(...args: string[]): Promise<T> {
  const { out, err } = await command([...args, "--json"]);
  if (out === "") throw new Error(err);
  return JSON.parse(out) as T; // the caller names what the command tells
}
