/** What is measured is what ships: the build in `dist/`. `INGRESS_DIST` points a run at another build of it. */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const standard = process.env.INGRESS_DIST ?? new URL("../dist", import.meta.url).pathname;

/** The build in a folder, the standard one unless told otherwise. */
export async function loadBuild(folder = standard) {
  const load = (file) => import(new URL(file, pathToFileURL(`${resolve(folder)}/`)));
  return {
    SocketIngress: (await load("index.js")).SocketIngress,
    coalesceWrites: (await load("write-coalescing.js")).coalesceWrites,
  };
}

/** The ingress, and the write coalescing by itself. */
export const { SocketIngress, coalesceWrites } = await loadBuild();
