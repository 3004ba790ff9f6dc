// npm run check: everything that has to hold before a release. `npm run check -- lint docs` runs only these steps,
// `npm run check -- --without coverage` all but these.
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { consume } from "./consumers.mjs";
import { mustRun, runSteps } from "./steps.mjs";

const npx = (...args) => mustRun("npx", ["--no-install", ...args]);
const folder = await mkdtemp(join(tmpdir(), "socket-ingress-check-"));
let packed;

/** The tarball a user would get, made once; `dist` is fresh by then. */
function tarball() {
  packed ??= mustRun("npm", ["pack", "--ignore-scripts", "--pack-destination", folder]).then(async () => {
    const name = (await readdir(folder)).find((file) => file.endsWith(".tgz"));
    if (name === undefined) throw new Error("npm pack made no tarball");
    return join(folder, name);
  });
  return packed;
}

const steps = {
  build: () => mustRun("npm", ["run", "build"]),
  lint: () => mustRun("npm", ["run", "lint"]),
  types: () => npx("tsc", "--noEmit", "-p", "tsconfig.json"),
  docs: () => mustRun("npm", ["run", "docs"]),
  publint: async () => npx("publint", "--strict", await tarball()),
  attw: async () => npx("attw", await tarball()),
  knip: () => npx("knip"),
  size: () => npx("size-limit"),
  consumers: async () => consume(await tarball()),
  coverage: () => npx("vitest", "run", "--coverage"),
};

const args = process.argv.slice(2);
const without = args[0] === "--without";
const named = without ? args.slice(1) : args;
const unknown = named.filter((name) => !Object.hasOwn(steps, name));
if (unknown.length > 0) throw new Error(`no step ${unknown.join(", ")}; there are ${Object.keys(steps).join(", ")}`);

try {
  const chosen = Object.entries(steps).filter(([name]) => named.length === 0 || named.includes(name) !== without);
  process.exitCode = (await runSteps(chosen)) ? 0 : 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}
