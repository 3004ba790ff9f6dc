/** What is measured is what ships: the build in `dist/`. `INGRESS_DIST` points a run at another build of it. */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const standard = process.env.INGRESS_DIST ?? new URL("../../dist", import.meta.url).pathname;

const load = (folder, file) => import(new URL(file, pathToFileURL(`${resolve(folder)}/`)));

/** The build in a folder, the standard one unless told otherwise. */
export async function loadBuild(folder = standard) {
  const { ServiceManager, SocketIngress } = await load(folder, "index.js");
  return {
    ServiceManager,
    SocketIngress,
    coalesceWrites: (await load(folder, "socket-io/write-coalescing.js")).coalesceWrites,
  };
}

/** One of the other doors of the standard build, e.g. `realtime`: only for those who use it, for it costs memory. */
export const loadDoor = (name) => load(standard, `${name === "realtime" ? "features/" : ""}${name}/index.js`);

/** The manager, the ingress, and the write coalescing by itself. */
export const { ServiceManager, SocketIngress, coalesceWrites } = await loadBuild();
