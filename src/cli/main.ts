#!/usr/bin/env node
// The bin `socket-ingress`: `npx socket-ingress --help` says what it does.

import { runCommand } from "./command-line.js";

const { stdout, stderr, env, execArgv, argv } = process;
const interrupted = new AbortController();
let signalled: number | undefined;

// The module goes with the command, whatever it does to signals itself.
for (const [name, number] of [["SIGHUP", 1] as const, ["SIGINT", 2] as const, ["SIGTERM", 15] as const])
  process.once(name, () => {
    signalled = 128 + number;
    interrupted.abort();
  });

const around = { stdout, stderr, env, execArgv, signal: interrupted.signal, cwd: () => process.cwd() };
void runCommand(argv.slice(2), around).then((code) => {
  process.exitCode = signalled ?? code;
});
