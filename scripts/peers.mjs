// Runs the promises and the parity suites with another Socket.IO than the one that is installed for development.
// `node scripts/peers.mjs` takes both ends of the range in package.json: the oldest it names, and the newest there is.
// `node scripts/peers.mjs 4.7.5` takes that one.
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { argv } from "node:process";
import { mustRun, root, run, runSteps } from "./steps.mjs";

const suites = ["test/promises/promises.test.ts", "test/promises/parity/parity.test.ts"];
/** What no test reads, or what would be found instead of that Socket.IO. */
const theirs = new Set([
  ".git",
  ".peers",
  "bench",
  "coverage",
  "dist",
  "node_modules",
  "package.json",
  "package-lock.json",
]);

async function ends() {
  const { peerDependencies } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  const range = peerDependencies["socket.io"];
  const oldest = /^\^(\d+\.\d+\.\d+)$/.exec(range)?.[1];
  if (oldest === undefined) throw new Error(`peerDependencies["socket.io"] should be one caret range, but is ${range}`);
  return [oldest, range];
}

/**
 * A copy of the sources and tests with that Socket.IO beside them. It lies below our own `node_modules`, so that everything else is
 * found there.
 */
async function prepare(version) {
  const folder = join(root, ".peers", version.replace("^", "newest-"));
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const dependencies = { "socket.io": version, "socket.io-client": version };
  await writeFile(join(folder, "package.json"), JSON.stringify({ private: true, type: "module", dependencies }));
  for (const name of (await readdir(root)).filter((name) => !theirs.has(name))) {
    await cp(join(root, name), join(folder, name), { recursive: true });
  }
  const flags = ["--prefer-offline", "--no-audit", "--no-fund", "--no-package-lock"];
  await mustRun("npm", ["install", ...flags], { cwd: folder });
  return folder;
}

const versionIn = async (folder) =>
  JSON.parse(await readFile(join(folder, "node_modules", "socket.io", "package.json"), "utf8")).version;

async function tryWith(version) {
  const folder = await prepare(version);
  if ((await versionIn(folder)) === (await versionIn(root))) {
    console.log(`socket.io ${version} is what all tests run with`);
    return rm(folder, { recursive: true, force: true });
  }
  const { code } = await run("npx", ["--no-install", "vitest", "run", "--root", folder, ...suites], { echo: true });
  if (code !== 0) throw new Error(`the promises do not hold with socket.io ${version}`);
  await rm(folder, { recursive: true, force: true });
}

const versions = argv.length > 2 ? argv.slice(2) : await ends();
const steps = versions.map((version) => [`socket.io ${version}`, () => tryWith(version)]);
process.exitCode = (await runSteps(steps)) ? 0 : 1;
