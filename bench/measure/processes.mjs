/** Processes that take commands over IPC, and the handles the runner has on them. */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";

/** How long an answer may take: longer than anything here does, ten thousand connections on a busy machine included. */
const longest = 180_000;

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
  let gone;
  let isReady;
  const ready = new Promise((resolve, reject) => {
    isReady = resolve;
    child.once("exit", (code, signal) => {
      gone = new Error(`${script} ended with ${signal ?? `code ${code}`}`);
      reject(gone);
      for (const { reject: refuse } of waiting.values()) refuse(gone);
      waiting.clear();
    });
  });
  child.on("message", ({ ready: up, id, value, error }) => {
    if (up) return isReady();
    const asked = waiting.get(id);
    waiting.delete(id);
    if (error) asked?.reject(new Error(error));
    else asked?.resolve(value);
  });
  await ready;
  return {
    pid: child.pid,
    hasEnded: () => gone !== undefined,
    /** Resolves to the answer; rejects when the command fails, the process ends or the time is over. */
    async ask(command, options = {}, { withinMs = longest } = {}) {
      if (gone) throw gone;
      const id = ++next;
      let timer;
      try {
        return await new Promise((resolve, reject) => {
          const late = () => reject(new Error(`${script} has not answered ${command} within ${withinMs / 1000} s`));
          timer = setTimeout(late, withinMs);
          waiting.set(id, { resolve, reject });
          child.send({ id, command, ...options }, (error) => error && reject(error));
        });
      } finally {
        clearTimeout(timer);
        waiting.delete(id);
      }
    },
    stop: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) return resolve();
        child.once("exit", resolve);
        child.kill("SIGKILL");
      }),
  };
}
