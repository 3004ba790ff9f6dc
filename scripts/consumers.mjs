// Uses the packed package as others will: compiled by three versions of TypeScript under both ways to resolve modules,
// loaded by `import` and by `require`, and tested with under other runners than ours.
// `node scripts/consumers.mjs package.tgz` runs it alone.
import { copyFile, cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { argv, execPath } from "node:process";
import { fileURLToPath } from "node:url";
import { mustRun, root } from "./steps.mjs";

const typescript = { "typescript-5.9": "5.9.3", "typescript-6.0": "6.0.3", "typescript-7.0": "7.0.2" };
const jest = "30.5.2";
const resolutions = {
  nodenext: { module: "nodenext" },
  bundler: { module: "esnext", moduleResolution: "bundler" },
};

/** A folder with the tarball and everything that the consumers need, and nothing of ours beside. */
async function install(folder, tarball) {
  const { devDependencies } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  const ours = ["socket.io", "socket.io-client", "@types/node"].map((name) => [name, devDependencies[name]]);
  const compilers = Object.entries(typescript).map(([alias, version]) => [alias, `npm:typescript@${version}`]);
  const dependencies = Object.fromEntries([...ours, ...compilers]);
  dependencies["socket-ingress"] = `file:${resolve(tarball)}`;
  dependencies.jest = jest;
  await writeFile(join(folder, "package.json"), JSON.stringify({ private: true, type: "module", dependencies }));
  const flags = ["--prefer-offline", "--no-audit", "--no-fund", "--no-package-lock"];
  await mustRun("npm", ["install", ...flags], { cwd: folder });
}

async function compile(folder, name, options) {
  const project = join(folder, name);
  await mkdir(project);
  await copyFile(join(folder, "consumers", "program.ts"), join(project, "program.ts"));
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
  };
  await writeFile(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["program.ts"] }));
  for (const alias of Object.keys(typescript)) {
    await mustRun(execPath, [join(folder, "node_modules", alias, "bin", "tsc"), "-p", project], { cwd: folder });
  }
}

/** @param {string} tarball the packed package */
export async function consume(tarball) {
  const folder = await mkdtemp(join(tmpdir(), "socket-ingress-consumer-"));
  try {
    await install(folder, tarball);
    await cp(join(root, "test", "consumers"), join(folder, "consumers"), { recursive: true });
    await mustRun(execPath, ["consumers/loads.cjs"], { cwd: folder });
    await mustRun(execPath, ["--test", "consumers/node-test.mjs"], { cwd: folder });
    const jestBin = join("node_modules", "jest", "bin", "jest.js");
    const jestFlags = ["--rootDir", folder, "--testMatch", "**/jest-test.mjs", "--testEnvironment", "node"];
    await mustRun(execPath, ["--experimental-vm-modules", jestBin, ...jestFlags], { cwd: folder });
    await Promise.all(Object.entries(resolutions).map(([name, options]) => compile(folder, name, options)));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  if (argv[2] === undefined) throw new Error("usage: node scripts/consumers.mjs package.tgz");
  await consume(argv[2]);
}
