import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import ts from "typescript";
import { expect, it } from "vitest";
import { root } from "../repo/source-files.js";

/** As from a shell: nothing tells the program that a test runner is about. */
const node = (args: string[], cwd: string): Promise<{ stdout: string }> =>
  promisify(execFile)(process.execPath, args, { cwd, env: { PATH: process.env["PATH"] } });

/** The package as `npm run build` makes it, without its types: nothing is checked here, so it takes seconds. */
async function build(): Promise<{ readonly folder: string } & AsyncDisposable> {
  const folder = await mkdtemp(join(tmpdir(), "package-"));
  for (const path of ["package.json", "scripts", "test/consumers"])
    await cp(join(root, path), join(folder, path), { recursive: true });
  for (const path of ["src", "node_modules"]) await symlink(join(root, path), join(folder, path));
  const files = (await readdir(join(root, "src"), { recursive: true })).filter((path) => path.endsWith(".ts"));
  const forms = { dist: ts.ModuleKind.CommonJS, "dist/esm": ts.ModuleKind.ESNext };
  for (const file of files) {
    // Only the doors of clients are ES modules of their own.
    const isShared = /^(client|wire|features\/\w+\/(client|protocol))/.test(file);
    const source = await readFile(join(root, "src", file), "utf8");
    for (const [form, module] of Object.entries(forms)) {
      if (module === ts.ModuleKind.ESNext && !isShared) continue;
      const compilerOptions = { module, target: ts.ScriptTarget.ES2023 };
      const to = join(folder, form, file.replace(/\.ts$/, ".js"));
      await mkdir(dirname(to), { recursive: true });
      await writeFile(to, ts.transpileModule(source, { compilerOptions }).outputText);
    }
  }
  await node(["--import", "tsx", "scripts/doors.ts", "dist"], folder);
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

/** A program that has to be TypeScript, as what runs, without a look at its types. */
async function transpile(folder: string): Promise<void> {
  for (const file of (await readdir(folder)).filter((path) => path.endsWith(".ts"))) {
    const source = await readFile(join(folder, file), "utf8");
    const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
    await writeFile(
      join(folder, file.replace(/ts$/, "js")),
      ts.transpileModule(source, { compilerOptions }).outputText,
    );
  }
}

// Its types, and the runners, need the package as it is published: `scripts/consumers.mjs`, a step of `npm run check`, compiles the same
// programs under every module resolution with the oldest and the newest TypeScript, and runs them in Jest, ts-jest and mocha.
it(
  "23. What `import` gives, `require` gives, and it is the same copy; it compiles under every module resolution that TypeScript 5.4 and later have, and loads in Jest as it comes.",
  { timeout: 120_000 },
  async () => {
    await using built = await build();
    const cwd = join(built.folder, "test", "consumers");
    // Each of them fails by itself: every door loaded both ways, one server made of both halves, and each form alone.
    for (const program of ["loads.cjs", "imports.mjs", "echo.cjs", "echo.mjs"]) await node([program], cwd);
    const { exports, bin } = JSON.parse(await readFile(join(built.folder, "package.json"), "utf8")) as {
      exports: Record<string, unknown>;
      bin: Record<string, string>;
    };
    const command = join(built.folder, bin["socket-ingress"] ?? "");
    expect(await readFile(command, "utf8")).toMatch(/^#!\/usr\/bin\/env node\n/);
    const { stdout: table } = await node([command, "routes", "manager.mjs"], cwd);
    expect(table).toMatch(/^echo +1 {2}echo\.handleEcho +unchecked +manager\.mjs:9$/m);
    // What has `require` first to say, and needs no flag of Node: what Jest takes as it comes.
    for (const [door, forms] of Object.entries(exports)) {
      if (door.endsWith(".json")) continue;
      expect(forms, door).toMatchObject({ require: { default: expect.stringMatching(/^\.\/dist\/(?!esm).*\.js$/) } });
      const { stdout } = await node(
        ["--no-experimental-require-module", "-p", `Object.keys(require("socket-ingress${door.slice(1)}")).length > 0`],
        cwd,
      );
      expect(stdout.trim(), door).toBe("true");
    }
  },
);

it(
  "a support desk that was written with the README and the guides alone passes its own tests",
  { timeout: 120_000 },
  async () => {
    await using built = await build();
    const cwd = join(built.folder, "test", "consumers", "desk");
    await transpile(cwd);
    const { stdout } = await node(["--test", "--test-reporter=tap", "desk-test.js", "sign-in-test.js"], cwd);
    expect(stdout).toMatch(/^# pass [1-9]/m);
  },
);
