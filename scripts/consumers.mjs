// Uses the packed package as others will: compiled under every way to resolve modules by the oldest TypeScript that it supports
// and the newest that has that way, loaded by `import` and by `require`, and tested with under each runner.
// `node scripts/consumers.mjs package.tgz` runs it alone.
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { argv, execPath } from "node:process";
import { fileURLToPath } from "node:url";
import { mustRun, root, run } from "./steps.mjs";

// ts-jest takes the oldest one, as `typescript`.
const oldest = "typescript";
const compilers = { [oldest]: "5.4.5", "typescript-6.0": "6.0.3", "typescript-7.0": "7.0.2" };
const runners = { jest: "30.5.2", "ts-jest": "29.4.15", mocha: "12.0.3" };

const each = ["program.ts", "doors.ts"];
const esm = [...each, "tested.ts"];
/** A program of both kinds, as only these two ways to resolve tell them apart. */
const both = [...esm, "program.cts", "together.ts"];
const projects = [
  { name: "node10", newest: "typescript-6.0", files: esm, options: { module: "commonjs", moduleResolution: "node10" } },
  { name: "node16", newest: "typescript-7.0", files: both, options: { module: "node16" } },
  { name: "nodenext", newest: "typescript-7.0", files: both, options: { module: "nodenext" } },
  { name: "bundler", newest: "typescript-7.0", files: esm, options: { module: "esnext", moduleResolution: "bundler" } },
  {
    name: "desk",
    newest: "typescript-7.0",
    files: ["main", "desk-test", "sign-in-test"].map((name) => `desk/${name}.ts`),
    options: { module: "nodenext", noEmit: false, rootDir: ".", outDir: "built" },
  },
  // TypeScript 5 has no such pair.
  { name: "commonjs", newest: "typescript-7.0", files: each, options: { module: "commonjs" }, only: "newest" },
];

/** A folder with the tarball and everything that the consumers need, and nothing of ours beside. */
async function install(folder, tarball) {
  const { devDependencies, peerDependencies } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  const peers = [...Object.keys(peerDependencies), "@types/node", "zod"].map((name) => [name, devDependencies[name]]);
  const aliases = Object.entries(compilers).map(([alias, version]) => [alias, `npm:typescript@${version}`]);
  const dependencies = { ...Object.fromEntries([...peers, ...aliases]), ...runners };
  dependencies["socket-ingress"] = `file:${resolve(tarball)}`;
  await writeFile(join(folder, "package.json"), JSON.stringify({ private: true, type: "module", dependencies }));
  const flags = ["--prefer-offline", "--no-audit", "--no-fund", "--no-package-lock"];
  await mustRun("npm", ["install", ...flags], { cwd: folder });
}

/** A file that takes every door whole, whichever there are. */
async function everyDoor(folder) {
  const path = join(folder, "node_modules", "socket-ingress", "package.json");
  const { exports } = JSON.parse(await readFile(path, "utf8"));
  const doors = Object.keys(exports).filter((key) => !key.endsWith(".json"));
  const imports = doors.map((door, index) => `import * as door${index} from "socket-ingress${door.slice(1)}";`);
  return [...imports, `export const doors: object[] = [${doors.map((_, index) => `door${index}`).join(", ")}];`].join(
    "\n",
  );
}

/** The compilations, each with the folder it happens in. */
async function prepare(folder) {
  const doors = await everyDoor(folder);
  return Promise.all(
    projects.flatMap(({ name, newest, files, options, only }) =>
      (only === "newest" ? [newest] : [oldest, newest]).map(async (compiler) => {
        const project = join(folder, `${name}-${compiler}`);
        await mkdir(project);
        await cp(join(root, "test", "consumers"), project, { recursive: true });
        await writeFile(join(project, "doors.ts"), doors);
        const compilerOptions = {
          target: "es2022",
          lib: ["es2022", "dom", "esnext.disposable"],
          types: ["node"],
          strict: true,
          exactOptionalPropertyTypes: true,
          noEmit: true,
          // The package's own declarations are part of what is tried.
          skipLibCheck: false,
          ...options,
          ...(compiler === "typescript-6.0" ? { ignoreDeprecations: "6.0" } : {}),
        };
        await writeFile(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
        return [join("node_modules", compiler, "bin", "tsc"), "-p", project];
      }),
    ),
  );
}

/** The arguments of Node for each run. */
function runs(folder) {
  const bin = (...path) => join("node_modules", ...path);
  const jest = [bin("jest", "bin", "jest.js"), "--rootDir", folder, "--testEnvironment", "node", "--testMatch"];
  const tsconfig = { module: "commonjs", target: "es2022", lib: ["es2022", "dom", "esnext.disposable"], strict: true };
  const transform = JSON.stringify({ "^.+\\.ts$": ["ts-jest", { tsconfig }] });
  const vitest = [join(root, "node_modules", "vitest", "vitest.mjs"), "run", "--globals", "--root", folder];
  return [
    ["consumers/loads.cjs"],
    ["consumers/imports.mjs"],
    ["--test", "consumers/node-test.mjs"],
    [...jest, "**/consumers/jest-test.cjs"],
    ["--experimental-vm-modules", ...jest, "**/consumers/jest-test.mjs"],
    [...jest, "**/consumers/ts-jest-test.ts", "--transform", transform],
    [bin("mocha", "bin", "mocha.js"), "consumers/mocha-test.cjs", "consumers/mocha-test.mjs"],
    [...vitest, "consumers/echo.test.mjs"],
    [bin("socket-ingress", "dist", "cli", "main.js"), "routes", "consumers/manager.mjs"],
  ];
}

/** Runs Node with these arguments. What a compiler says of declarations that are not ours is none of our faults. */
async function runNode(args, cwd) {
  const { code, output } = await run(execPath, args, { cwd });
  const lines = output.split("\n").filter((line) => /: error TS\d+/.test(line));
  const theirs = lines.filter((line) => /^node_modules\/(?!socket-ingress\/)/.test(line));
  if (code === 0 || (lines.length > 0 && lines.length === theirs.length)) return;
  throw new Error(`node ${args.join(" ")} ended with ${code}:\n${output}`);
}

/** Runs Node with each of these arguments, as many at once as the machine has processors; all failures are told. */
async function inTurns(commands, cwd) {
  const waiting = [...commands];
  const failures = [];
  const worker = async () => {
    for (let args = waiting.shift(); args !== undefined; args = waiting.shift()) {
      await runNode(args, cwd).catch((error) => failures.push(error.message));
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  if (failures.length > 0) throw new Error(failures.join("\n\n"));
}

/** @param {string} tarball the packed package */
export async function consume(tarball) {
  const folder = await mkdtemp(join(tmpdir(), "socket-ingress-consumer-"));
  try {
    await install(folder, tarball);
    await cp(join(root, "test", "consumers"), join(folder, "consumers"), { recursive: true });
    await inTurns([...(await prepare(folder)), ...runs(folder)], folder);
    const desk = ["desk-test", "sign-in-test"].map((name) => join(`desk-${oldest}`, "built", "desk", `${name}.js`));
    await inTurns([["--test", ...desk]], folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  if (argv[2] === undefined) throw new Error("usage: node scripts/consumers.mjs package.tgz");
  await consume(argv[2]);
}
