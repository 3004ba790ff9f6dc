import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { io } from "socket.io-client";
import { describe, expect, it } from "vitest";
import { files, root } from "./source-files.js";

const examples = readdirSync(join(root, "examples"), { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== "page") // which is what the pages share
  .map((entry) => entry.name);

const mainOf = (example: string): string | undefined =>
  ["main.ts", "server.ts"].map((name) => join("examples", example, name)).find((path) => existsSync(join(root, path)));

/** Starts an example as `npm start` does and waits for the line with its address. */
async function start(main: string) {
  const child = spawn(process.execPath, ["--import", "tsx", main], {
    cwd: root,
    env: { ...process.env, PORT: "0", NODE_ENV: "production" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(child, "exit") as Promise<[code: number | null, signal: NodeJS.Signals | null]>;
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const listening = new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).on("line", (line) => {
      said += `${line}\n`;
      const url = /listening on (https?:\/\/\S+)/.exec(line)?.[1];
      if (url !== undefined) resolve(url);
    });
    exited.then(([code]) => reject(new Error(`${main} ended with ${code} before it listened:\n${said}`)), reject);
  });
  return {
    url: await listening,
    said: () => said,
    end(signal: NodeJS.Signals) {
      child.kill(signal);
      return exited;
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
      await exited;
    },
  };
}

describe("the examples", () => {
  it("are folders beside a README, and import the package by its name, as a user would", () => {
    const loose = readdirSync(join(root, "examples"), { withFileTypes: true }).filter((entry) => !entry.isDirectory());
    expect(loose.map(({ name }) => name)).toEqual(["README.md"]);
    const intoSources = files("examples", /\.tsx?$/).filter((path) =>
      /["'](\.\.\/)+(src|dist|test)\//.test(readFileSync(join(root, "examples", path), "utf8")),
    );
    expect(intoSources).toEqual([]);
  });

  it("are hello and chat at least, and each has a program to start", () => {
    expect(examples).toEqual(expect.arrayContaining(["chat", "hello"]));
    expect(examples.filter((example) => mainOf(example) === undefined)).toEqual([]);
  });

  const signals = ["SIGINT", "SIGTERM"] as const;
  const runs = examples.flatMap((example) => signals.map((signal) => [example, signal] as const));

  it.for(runs)("%s starts, takes a client and ends cleanly on %s", { timeout: 30_000 }, async ([example, signal]) => {
    const main = mainOf(example);
    if (main === undefined) throw new Error(`examples/${example} has neither server.ts nor main.ts`);
    await using server = await start(main);
    const client = io(server.url, { reconnection: false, transports: ["websocket"] });
    try {
      await new Promise((resolve, reject) => {
        client.on("connect", () => resolve(undefined));
        client.on("connect_error", reject);
      });
      // Whatever an example does not know is answered too: that is what the package is for.
      const reply: unknown = await client.timeout(20_000).emitWithAck("no_such_event_in_any_example");
      expect(reply).toMatchObject({ error: { code: "UNKNOWN_EVENT" } });
      expect(await server.end(signal), server.said()).toEqual([0, null]);
    } finally {
      client.close();
    }
  });
});
