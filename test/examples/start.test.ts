import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "../repo/source-files.js";

const SLOW = { timeout: 60_000 };
const withPages = ["home", "chat", "market", "drawing", "posts", "notes"];

interface Run {
  code: unknown;
  out: string;
  err: string;
}

/** Runs a program to its end, or until it says that it listens. */
async function run(program: string, args: string[], env: NodeJS.ProcessEnv, cwd = root): Promise<Run> {
  const child = spawn(program, args, {
    cwd,
    env: { ...process.env, NO_COLOR: "1", NODE_OPTIONS: "", npm_config_update_notifier: "false", ...env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true, // npm hands signals on, but not at once: the whole group is ended
  });
  let [out, err] = ["", ""];
  const closed = once(child, "close");
  child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
  child.stdout.on("data", (chunk: Buffer) => {
    out += chunk.toString();
    if (/listening on \S+\n/.test(out) && child.pid !== undefined) process.kill(-child.pid, "SIGTERM");
  });
  const [code] = (await closed) as [unknown];
  return { code, out, err };
}

const start = (example: string, env: NodeJS.ProcessEnv): Promise<Run> =>
  run(process.execPath, ["--import", "tsx", join("examples", example, "main.ts")], env);

/** What a program that can't start says: one sentence, and nothing before it. */
function expectSentence({ code, out, err }: Run, sentence: RegExp): void {
  expect(err.trim()).toMatch(sentence);
  expect(err.trim().split("\n")).toHaveLength(1);
  expect(out.replace(/^> .*$/gm, "").trim()).toBe(""); // npm says what it runs
  expect(code).toBe(1);
}

describe("an example that can't start says why, in one sentence", () => {
  const portSentence = (given: string): RegExp =>
    new RegExp(`^PORT must be a whole number from 0 to 65535, got "${given}"$`);

  it.for(["abc", "80000", "-1"])("PORT=%s npm start", SLOW, async (PORT) => {
    expectSentence(await run("npm", ["start"], { PORT }), portSentence(PORT));
  });

  it.for(withPages)("%s with a port that is none", SLOW, async (example) => {
    expectSentence(await start(example, { PORT: "http" }), portSentence("http"));
  });

  it.for(withPages)("%s with a port that is taken", SLOW, async (example) => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;
    try {
      expectSentence(
        await start(example, { PORT: String(port) }),
        new RegExp(`^PORT ${port} can't be used, another program listens there; choose another one`),
      );
    } finally {
      other.close();
    }
  });

  it("a market of a size that is none", SLOW, async () => {
    expectSentence(
      await start("market", { PORT: "0", MARKET_SIZE: "two" }),
      /^MARKET_SIZE must be a whole number from 2 to 100, got "two"$/,
    );
  });

  it("posts in a file that can't be opened", SLOW, async () => {
    expectSentence(
      await start("posts", { PORT: "0", DATABASE: "/no/such/folder/posts.db" }),
      /^DATABASE "\/no\/such\/folder\/posts\.db" can't be opened: /,
    );
  });

  it("npm start with the name of no example", SLOW, async () => {
    expectSentence(
      await run("npm", ["start", "chess"], {}),
      /^there is no example "chess"; there are chat, drawing, hello, home, market, notes, posts$/,
    );
  });

  it("npm start in a clone in which nothing is installed", SLOW, async () => {
    const clone = mkdtempSync(join(tmpdir(), "clone-"));
    try {
      for (const part of ["package.json", "tsconfig.json", "scripts", "examples", "src"]) {
        cpSync(join(root, part), join(clone, part), { recursive: true });
      }
      expectSentence(
        await run("npm", ["start"], { PORT: "0" }, clone),
        /^the package "tsx" is not installed: run "npm ci" first, then "npm start" again$/,
      );
    } finally {
      rmSync(clone, { recursive: true, force: true });
    }
  });
});

describe("npm start", () => {
  it("runs the start page, and says where", SLOW, async () => {
    const { out, err } = await run("npm", ["start"], { PORT: "0" });
    expect(out).toMatch(/listening on http:\/\/127\.0\.0\.1:\d+\n/);
    expect(err).toBe("");
  });

  it(
    "shows who runs at which event, in order and within which limits, what is built in apart, then the address",
    SLOW,
    async () => {
      const { out, err } = await run("npm", ["start", "--", "chat"], { PORT: "0" });
      const said = out.slice(0, out.indexOf("listening on")).split("\n");
      const [own, builtIn] = [said.slice(0, said.indexOf("  built in")), said.slice(said.indexOf("  built in") + 1)];
      expect(own).toContain("  message    moderation.review (guard, input), then rooms.post (input)");
      expect(own).toContain("  hang       faults.neverAnswer (1 s)");
      expect(own).toContain("  typing     rooms.typing (input, 1 at once per socket, 1 wait, the oldest goes)");
      expect(own).toContain("  whoami     rooms.whoami");
      expect(own.filter((line) => /ingress:|realtime|[{}']/.test(line))).toEqual([]);
      const doors = builtIn.slice(0, builtIn.indexOf(""));
      expect(new Set(doors.map((line) => line.split(":")[0]))).toEqual(new Set(["  auth", "  limits", "  realtime"]));
      expect(doors.find((line) => line.startsWith("  realtime"))).toMatch(/ingress:join, ingress:leave/);
      expect(err).toBe("");
    },
  );

  it("runs the example that is named", SLOW, async () => {
    const { out } = await run("npm", ["start", "hello"], { PORT: "0" });
    expect(out).toContain("listening on http://127.0.0.1:");
  });
});
