/**
 * The builds that are measured, and the one place that knows how to load them: what ships, through the `exports` of its
 * package.json, as whoever installed it would. `INGRESS_DIST` names another package than the one around this bench;
 * `INGRESS_BASELINE` one that is compared with it, which is loaded twice (`baseline`, `again`). Either is the folder of a package,
 * or its `dist`; the baseline may also be what `npm pack` makes of it.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, extname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const bench = fileURLToPath(new URL("..", import.meta.url));
// where whatever a copy of the package depends on is found: here, and further up
const copies = join(bench, "node_modules", ".baseline");
const packageOf = (folder) => (basename(folder) === "dist" ? dirname(folder) : folder);

/** The folder of each build's package. */
const packages = {
  ours: packageOf(resolve(process.env.INGRESS_DIST ?? join(bench, ".."))),
  baseline: join(copies, "baseline"),
  again: join(copies, "again"),
};

/** Lays out the copies of the baseline; once in a run, by the runner. */
export function copyBaseline(from) {
  rmSync(copies, { recursive: true, force: true });
  for (const which of ["baseline", "again"]) {
    const to = packages[which];
    mkdirSync(to, { recursive: true });
    if (extname(from) === ".tgz") {
      execFileSync("tar", ["-xzf", resolve(from), "-C", to, "--strip-components=1"]);
      continue;
    }
    for (const part of ["package.json", "dist"])
      cpSync(join(packageOf(resolve(from)), part), join(to, part), { recursive: true });
  }
}

const pathOf = (which, door) =>
  createRequire(join(packages[which], "package.json")).resolve(
    door === "" ? "socket-ingress" : `socket-ingress/${door}`,
  );
const load = (path) => import(pathToFileURL(path).href);

/** The main door of a build. */
export const loadBuild = (which = "ours") => load(pathOf(which, ""));

/** One of the other doors, e.g. `realtime`: only for those who use it, for it costs memory. */
export const loadDoor = (door) => load(pathOf("ours", door));

/** The manager and the ingress. */
export const { ServiceManager, SocketIngress } = await loadBuild();

/** The write coalescing by itself, which no door has: it is put on a server that has no ingress, and taken away again. */
export async function loadCoalescing() {
  const main = pathOf("ours", "");
  const part = (name) => load(join(dirname(main), "socket-io", `${name}${extname(main)}`));
  const [{ coalesceWrites }, { Engines }] = [await part("write-coalescing"), await part("engines")];
  return (io) => coalesceWrites(new Engines(io));
}
