import { isBuiltin } from "node:module";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build, type Metafile } from "esbuild";
import { describe, expect, it } from "vitest";
import { openingComment } from "./code-blocks.js";
import { doorFolders, json, root, sourceFiles } from "./source-files.js";

const folders = doorFolders();
const subpath = (folder: string): string => (folder === "" ? "." : `./${folder}`);

/** What a door takes from outside when somebody bundles it. Types leave no trace. */
const outside: Record<string, { packages: string[]; node: boolean }> = {
  ".": { packages: ["pino"], node: true },
  "./client": { packages: [], node: false },
  "./realtime": { packages: ["pino"], node: true },
  "./testing": { packages: ["pino", "socket.io", "socket.io-client"], node: true },
};

async function bundle(folder: string): Promise<{ text: string; meta: Metafile }> {
  const result = await build({
    entryPoints: [join(root, "src", folder, "index.ts")],
    bundle: true,
    write: false,
    minify: true,
    metafile: true,
    format: "esm",
    target: "es2022",
    platform: "neutral",
    packages: "external",
    logLevel: "silent",
  });
  return { text: result.outputFiles[0]?.text ?? "", meta: result.metafile };
}

const imported = (meta: Metafile): string[] => [
  ...new Set(Object.values(meta.outputs).flatMap((output) => output.imports.map((one) => one.path))),
];

describe("the doors", () => {
  it("are the folders of src/ with an index.ts, and every folder but wire has one", () => {
    const all = new Set(
      sourceFiles().flatMap(({ path }) => (path.includes("/") ? path.slice(0, path.indexOf("/")) : "")),
    );
    expect(folders).not.toContain("wire");
    expect(folders.filter((folder) => folder.includes("/"))).toEqual([]);
    expect([...all].filter((folder) => folder !== "wire" && !folders.includes(folder))).toEqual([]);
  });

  it("are the exports of package.json", () => {
    const { exports } = json<{ exports: Record<string, unknown> }>("package.json");
    const expected: Record<string, unknown> = { "./package.json": "./package.json" };
    for (const folder of folders) {
      const file = `./dist/${folder === "" ? "" : `${folder}/`}index`;
      expected[subpath(folder)] = { types: `${file}.d.ts`, default: `${file}.js` };
    }
    expect(exports).toEqual(expected);
  });

  it("are the entry points of the API reference", () => {
    const { entryPoints } = json<{ entryPoints: string[] }>("typedoc.json");
    expect(entryPoints.toSorted()).toEqual(folders.map((folder) => join("src", folder, "index.ts")).toSorted());
  });

  it("open with an @module block", () => {
    const bare = folders.filter((folder) => !openingComment(join("src", folder, "index.ts")).includes("@module"));
    expect(bare.map(subpath)).toEqual([]);
  });
});

describe("what a door brings along", () => {
  it("is said for every door", () => {
    expect(Object.keys(outside).toSorted()).toEqual(folders.map(subpath).toSorted());
  });

  it.for(folders.map((folder) => [subpath(folder), folder] as const))(
    "%s takes from outside only what it says",
    async ([door, folder]) => {
      const allowed = outside[door] ?? { packages: [], node: false };
      const { meta } = await bundle(folder);
      const wrong = imported(meta).filter((path) =>
        isBuiltin(path)
          ? !allowed.node
          : !allowed.packages.some((name) => path === name || path.startsWith(`${name}/`)),
      );
      expect(wrong).toEqual([]);
    },
  );

  it("./client weighs at most 6.3 kB, minified and compressed, beside socket.io-client", async () => {
    const { text } = await bundle("client");
    expect(gzipSync(text).byteLength).toBeLessThanOrEqual(6300);
  });
});
