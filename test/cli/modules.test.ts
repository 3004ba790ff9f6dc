import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { promisify } from "node:util";
import type { ManagerDescription } from "socket-ingress";
import { describe, expect, it } from "vitest";
import { root } from "../repo/source-files.js";
import { command, type Said, told } from "./run.js";

const SLOW = { timeout: 60_000 };
const fixture = (name: string): string => `test/cli/fixtures/${name}`;

/** The sentence that a command ends with that could not be done. */
function expectSentence({ code, out, err }: Said, sentence: RegExp): void {
  expect(err).toMatch(sentence);
  expect({ code, out }).toEqual({ code: 2, out: "" });
}

describe("a module's manager is found", () => {
  it("by a function that makes one, which may take its time", SLOW, async () => {
    const { events, booted } = await told<ManagerDescription>("routes", fixture("sound.ts"));
    expect(booted).toBe(false);
    expect(events).toMatchObject([
      { event: "ping", handler: "sound", readsArguments: false },
      {
        event: "say",
        input: [{ vendor: "zod", required: ["text"], optional: ["to"] }],
        use: ["timed"],
        owner: 'Sound "sound"',
        source: { file: fixture("sound.ts"), line: lineOf("sound.ts", "onSay(_context") },
      },
    ]);
  });

  it("by nothing but being made, in a main that nobody awaits, and is up by then", SLOW, async () => {
    const { events, booted } = await told<ManagerDescription>("routes", fixture("adopted.cjs"));
    expect(booted).toBe(true);
    expect(events).toMatchObject([
      { event: "greet", handler: "greeter", source: { line: lineOf("adopted.cjs", "events =") } },
    ]);
  });

  it("by the name of its export", SLOW, async () => {
    expectSentence(
      await command(["routes", fixture("several.ts")]),
      /several\.ts: it exports several managers, inner, outer: say which, as in --export inner$/m,
    );
    expect((await command(["routes", fixture("several.ts"), "--export", "outer"])).code).toBe(0);
    expectSentence(
      await command(["routes", fixture("several.ts"), "--export", "third"]),
      /it exports no "third"; it exports inner, outer$/m,
    );
  });
});

describe("a module that can't be described is ended with a sentence", () => {
  it.for([
    ["that has no manager", "nothing.ts", /it exports no ServiceManager and no function .* it exports port$/m],
    [
      "that throws",
      "throws.ts",
      /throws\.ts could not be loaded: Error: the database is not there\n {4}at .*throws\.ts:1/,
    ],
    ["that ends its process", "exits.ts", /exits\.ts ended with exit code 7 before its manager could be looked at/],
    [
      "that waits for what never comes",
      "waits.ts",
      /waits\.ts waits for something that never comes, at its top level or/,
    ],
    ["that waits for it in its function", "waits-in-function.ts", /function\.ts waits for something that never comes/],
    ["that is not there", "missing.ts", /there is no file test\/cli\/fixtures\/missing\.ts in /],
    ["that is a folder", ".", /there is no file test\/cli\/fixtures\/\. in /],
  ] as const)("%s", SLOW, async ([, name, sentence]) => {
    expectSentence(await command(["routes", fixture(name)]), sentence);
  });

  it("that spins, whatever it does to signals", SLOW, async () => {
    const said = await command(["routes", fixture("spins.ts"), "--timeout", "2"]);
    expectSentence(said, /spins\.ts was not loaded within 2 s, and was ended\. What it waits for.*--timeout 60$/m);
  });
});

it("--version says which one it is", async () => {
  const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
  expect(await command(["--version"])).toEqual({ code: 0, out: `${version}\n`, err: "" });
});

it("nothing listens: a port that is taken is no error, and what asks whether it listens is told so", SLOW, async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const before = process.env["PORT"];
  process.env["PORT"] = String((other.address() as AddressInfo).port);
  try {
    const { code, out, err } = await command(["routes", fixture("listens.ts")]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toContain("echo.echo");
  } finally {
    if (before === undefined) delete process.env["PORT"];
    else process.env["PORT"] = before;
    other.close();
  }
});

it("--check finds each fault once, says where it is, and leaves out what is excepted", SLOW, async () => {
  const { code, out } = await command(["routes", fixture("faulty.ts"), "--check"], 200);
  expect(code).toBe(1);
  const found = out.split("\n").filter((line) => /^[\w-]+:/.test(line));
  expect(found).toEqual([
    "duplicate-name:later",
    "duplicate-name:mails",
    "no-time-limit:hang",
    "no-input:say",
    "no-policy:lobby",
    ...Array.from({ length: 3 }, () => "unreachable:blocked"),
    "unreachable:closed",
    "unreachable:enter",
    "untold:unready",
  ]);
  expect(out).toContain(`(${fixture("faulty.ts")}:${lineOf("faulty.ts", "onSay(_context")})`);
  const rules = ["duplicate-name", "no-input", "no-policy:lobby", "no-time-limit", "unreachable", "untold"];
  const excepted = rules.flatMap((rule) => ["--except", rule]);
  const clean = await command(["routes", fixture("faulty.ts"), "--check", ...excepted]);
  expect(clean).toMatchObject({ code: 0, err: "" });
  expect(clean.out).toMatch(/nothing is wrong with \d+ subscribers, as far as it is declared before the start/);
  expect((await command(["routes", fixture("faulty.ts"), "--check", ...excepted.slice(2)])).code).toBe(1);
});

describe("the bin", () => {
  const bin = ["--import", "tsx", "src/cli/main.ts"];

  it("writes what was asked for, and nothing of what the program says, to standard output", SLOW, async () => {
    const env = { ...process.env, NODE_OPTIONS: "" };
    const run = (args: string[]) => promisify(execFile)(process.execPath, [...bin, ...args], { cwd: root, env });
    const { stdout, stderr } = await run(["routes", "examples/hello/server.ts", "--json"]);
    expect(stderr).toBe("");
    expect((JSON.parse(stdout) as ManagerDescription).events).toMatchObject([{ event: "greet", handler: "greeting" }]);
    await expect(run(["explain", "examples/hello/server.ts", "greets"])).rejects.toMatchObject({ code: 1 });
    await expect(run(["routes", fixture("throws.ts")])).rejects.toMatchObject({ code: 2, stdout: "" });
  });

  it("ends with its module when it is interrupted, and leaves no process behind", SLOW, async () => {
    const child = spawn(process.execPath, [...bin, "routes", fixture("spins.ts"), "--timeout", "50"], {
      cwd: root,
      env: { ...process.env, NODE_OPTIONS: "", SPINS: "tell" },
      stdio: ["ignore", "ignore", "pipe"],
    });
    const [pid] = (await once(child.stderr, "data")) as [Buffer];
    const ended = once(child, "exit");
    child.kill("SIGINT");
    expect(await ended).toEqual([130, null]);
    // It is a child of nobody here: the kernel says whether it is there.
    expect(() => process.kill(Number(pid.toString()), 0)).toThrow(/ESRCH/);
  });
});

/** Where a text stands in a fixture. */
function lineOf(name: string, text: string): number {
  const lines = readFileSync(`${root}/${fixture(name)}`, "utf8").split("\n");
  return lines.findIndex((line) => line.includes(text)) + 1;
}

it("every fixture is used", () => {
  const tests = ["modules", "process"].map((name) => readFileSync(`${root}/test/cli/${name}.test.ts`, "utf8"));
  const used = tests.join("\n");
  expect(readdirSync(`${root}/${fixture("")}`).filter((name) => !used.includes(`"${name}"`))).toEqual([]);
});
