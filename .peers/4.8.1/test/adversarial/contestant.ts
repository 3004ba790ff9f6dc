import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";

import type { Command, CommandAnswer, Ready } from "./host.js";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** How a process ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The last lines it wrote to stderr: what it died of. */
  readonly lastWords: string;
}

/** A server process under attack, as its parent sees it. */
export class Contestant implements AsyncDisposable {
  readonly ready: Ready;
  readonly url: string;
  /** Resolves once the process is gone. */
  readonly ended: Promise<Ending>;
  #child: ChildProcess;
  #ending: Ending | undefined;
  #nextId = 0;
  #answers = new Map<number, (answer: CommandAnswer) => void>();

  private constructor(child: ChildProcess, ready: Ready, ended: Promise<Ending>) {
    this.#child = child;
    this.ready = ready;
    this.url = `http://127.0.0.1:${ready.port}`;
    this.ended = ended;
    void ended.then((ending) => {
      this.#ending = ending;
      for (const [id, answer] of this.#answers) answer({ id, failed: "the process is gone" });
    });
    child.on("message", (answer: CommandAnswer) => {
      this.#answers.get(answer.id)?.(answer);
      this.#answers.delete(answer.id);
    });
  }

  /** Starts a server script (TypeScript, run by tsx) and waits until it listens. */
  static async start(script: URL, environment: Record<string, string> = {}): Promise<Contestant> {
    const child = fork(fileURLToPath(script), {
      cwd: root,
      execArgv: ["--import", "tsx"],
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      env: { ...process.env, NODE_ENV: "test", ...environment },
    });
    let lastWords = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      lastWords = (lastWords + chunk.toString()).slice(-4_000);
    });
    const ended = new Promise<Ending>((resolve) => {
      child.once("close", (code, signal) => resolve({ code, signal, lastWords }));
    });
    const ready = await Promise.race([
      new Promise<Ready>((resolve) => child.once("message", (message) => resolve(message as Ready))),
      ended.then(({ lastWords: words }) => {
        throw new Error(`${script.pathname} died before it listened:\n${words}`);
      }),
    ]);
    return new Contestant(child, ready, ended);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** How it ended, if it has. */
  get ending(): Ending | undefined {
    return this.#ending;
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Has the server do something; rejects if it can't or is gone. */
  async command<Result = unknown>(name: string, argument?: unknown): Promise<Result> {
    if (!this.isAlive || !this.#child.connected) throw new Error(`${name}: the process is gone`);
    const id = this.#nextId++;
    const answer = await new Promise<CommandAnswer>((resolve) => {
      this.#answers.set(id, resolve);
      this.#child.send({ id, name, argument } satisfies Command, (error) => {
        if (error) resolve({ id, failed: error.message });
      });
    });
    if (answer.failed !== undefined) throw new Error(`${name}: ${answer.failed}`);
    return answer.result as Result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isAlive) this.#child.kill("SIGKILL");
    await this.ended;
  }
}
