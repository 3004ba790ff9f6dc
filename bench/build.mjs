/** What is measured is what ships: the build in `dist/`. `INGRESS_DIST` points a run at another build of it. */
import { pathToFileURL } from "node:url";
import { resolve } from "node:path";

const dist = pathToFileURL(resolve(process.env.INGRESS_DIST ?? new URL("../dist", import.meta.url).pathname) + "/");

/** The build's main door. */
export const { SocketIngress } = await load("index.js");
/** The write coalescing by itself, without an ingress around it. */
export const { coalesceWrites } = await load("write-coalescing.js");

async function load(file) {
  try {
    return await import(new URL(file, dist));
  } catch (error) {
    if (error.code === "ERR_MODULE_NOT_FOUND" && process.env.INGRESS_DIST) return {};
    throw error;
  }
}
