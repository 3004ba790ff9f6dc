import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import express, { type Router } from "express";

/**
 * Serves the page of an example: its folder `public`, the look that all of them share, and its script, bundled once at the
 * start. Nothing comes from elsewhere.
 *
 * @param folder - the one with the page and its style sheet
 * @param program - what the page runs
 */
export async function servePage(folder: URL, program: URL): Promise<Router> {
  const script = await build({
    entryPoints: [fileURLToPath(program)],
    bundle: true,
    format: "esm",
    minify: true,
    write: false,
  });
  return express
    .Router()
    .get("/main.js", (_request, response) => void response.type("js").send(script.outputFiles[0]?.text))
    .get("/look.css", (_request, response) => response.sendFile(fileURLToPath(new URL("./look.css", import.meta.url))))
    .use(express.static(fileURLToPath(folder)));
}
