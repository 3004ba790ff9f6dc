/** Processes that take commands over IPC, and the handles the runner has on them. */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";

/** In a child: answers each `{ id, command, ...args }` with what `commands[command](args)` returns. */
export function serveCommands(commands) {
  process.on("message", async ({ id, command, ...args }) => {
    try {
      process.send({ id, value: await commands[command](args) });
    } catch (error) {
      process.send({ id, error: String(error?.stack ?? error) });
    }
  });
  process.on("disconnect", () => process.exit(0));
  process.send({ ready: true });
}

/** Forks `script` (a path in the folder of the bench) and resolves when it is ready to be asked. */
export async function start(script, args = [], execArgv = []) {
  const child = fork(fileURLToPath(new URL(`../${script}`, import.meta.url)), args.map(String), {
    execArgv,
    // production: what the peers are deployed with, and Express and Nest are quieter
    env: { ...process.env, NODE_ENV: "production", DEBUG: "" },
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const waiting = new Map();
  let next = 0;
  let isReady;
  const ready = new Promise((resolve, reject) => {
    isReady = resolve;
    child.once("exit", (code) => {
      const gone = new Error(`${script} ${args.join(" ")} ended with code ${code}`);
      reject(gone);
      for (const { reject: refuse } of waiting.values()) refuse(gone);
      waiting.clear();
    });
  });
  child.on("message", ({ ready: up, id, value, error }) => {
    if (up) return isReady();
    const { resolve, reject } = waiting.get(id);
    waiting.delete(id);
    if (error) reject(new Error(error));
    else resolve(value);
  });
  await ready;
  return {
    pid: child.pid,
    ask: (command, options = {}) =>
      new Promise((resolve, reject) => {
        waiting.set(++next, { resolve, reject });
        child.send({ id: next, command, ...options });
      }),
    stop: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) return resolve();
        child.once("exit", resolve);
        child.kill("SIGKILL");
      }),
  };
}
