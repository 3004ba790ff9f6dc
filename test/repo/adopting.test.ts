import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { io as client } from "socket.io-client";
import { afterAll, describe, expect, it } from "vitest";
import { root } from "./source-files.js";

// The server of docs/guide/adopting.md, moved as it says: each diff is applied to what the one before left, and the server's own tests are
// run after each, under node:test, with `socket-ingress` meaning the sources.

const guide = readFileSync(join(root, "docs/guide/adopting.md"), "utf8");
const blocks = [...guide.matchAll(/^```(js|ts|diff)\n([^]*?)^```$/gm)].map((match) => {
  const [, language, code = ""] = match;
  const line = guide.slice(0, match.index).split("\n").length;
  return { language, code, line, name: /^\/\/ ([\w./-]+)\n/.exec(code)?.[1] };
});
const named = (name: string): string => blocks.find((block) => block.name === name)?.code ?? "";
const diffs = blocks.filter(({ language }) => language === "diff");

/** Puts what a diff adds in the place of what it takes away; a line `@@` is between two places. */
function applied(source: string, diff: string, line: number): string {
  return diff.split(/^@@\n/m).reduce((text, hunk) => {
    const lines = hunk.trimEnd().split("\n");
    const side = (left: string): string =>
      lines
        .filter((one) => one[0] !== left)
        .map((one) => `${one.slice(1)}\n`)
        .join("");
    const [before, after] = [side("+"), side("-")];
    const places = text.split(before).length - 1;
    if (places !== 1) throw new Error(`the diff at line ${line} has ${places} places for:\n${before}`);
    return text.replace(before, () => after);
  }, source);
}

const folder = join(root, "test", ".adopting");
rmSync(folder, { recursive: true, force: true });
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the server's own tests in a folder of these files. */
async function testsOf(name: string, files: Record<string, string>): Promise<string> {
  const place = join(folder, name);
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, "package.json"), `{ "type": "commonjs" }`);
  for (const [file, code] of Object.entries(files)) writeFileSync(join(place, file), code);
  const { NODE_TEST_CONTEXT: _, NODE_OPTIONS: __, ...env } = process.env;
  const flags = ["--import", "tsx", "--require", join(root, "test/fixtures/package-is-sources.cjs")];
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [...flags, "--test-reporter", "tap", join(place, "server.test.js")],
    { cwd: root, env },
  ).catch((error: { stdout: string; stderr: string }) => ({ stdout: error.stdout + error.stderr }));
  return stdout;
}

const steps = [named("server.js")];
for (const { code, line } of diffs) steps.push(applied(steps.at(-1) ?? "", code, line));

const tests = { "server.test.js": named("server.test.js") };

describe("the server of docs/guide/adopting.md", () => {
  it("is there, with tests and a diff for each step", () => {
    expect(named("server.js")).not.toContain("socket-ingress");
    expect(guide.match(/^## \d+\. /gm)).toHaveLength(diffs.length);
  });

  it.for(steps.map((source, step) => [step, source] as const))(
    "passes its own tests after step %i",
    { timeout: 60_000 },
    async ([step, source]) => {
      const output = await testsOf(`step-${step}`, { "server.js": source, ...tests });
      expect(output).toContain("# pass 5\n# fail 0");
    },
  );

  it("passes them in TypeScript", { timeout: 60_000 }, async () => {
    const output = await testsOf("typescript", { "server.ts": named("server.ts"), ...tests });
    expect(output).toContain("# pass 5\n# fail 0");
  });
});

describe("a framework of docs/guide/adopting.md", () => {
  it.for(["fastify", "hono"])("%s serves pages and events, and stops with a client connected", async (name) => {
    const place = join(folder, `${name}.ts`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(place, named(`${name}.ts`));
    const { start } = (await import(/* @vite-ignore */ place)) as {
      start(): Promise<{ port: number; stop(): Promise<unknown> }>;
    };
    const { port, stop } = await start();
    const url = `http://127.0.0.1:${port}`;
    const socket = client(url, { forceNew: true, reconnection: false });
    try {
      expect(await socket.emitWithAck("ping")).toBe("pong");
      expect(await (await fetch(`${url}/health`)).text()).toMatch(/ok|up|healthy/);
      const gone = new Promise((resolve) => socket.once("disconnect", resolve));
      await stop();
      await gone;
      await expect(fetch(url)).rejects.toThrow("fetch failed");
    } finally {
      socket.disconnect();
    }
  });
});
