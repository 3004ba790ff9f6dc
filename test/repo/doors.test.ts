import { isBuiltin } from "node:module";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build, type Metafile } from "esbuild";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { configOf, findDoors, type SizeLimit } from "../../scripts/doors.js";
import { openingComment } from "./code-blocks.js";
import { files, json, root } from "./source-files.js";

const doors = findDoors();
const subpaths = doors.map(({ subpath }) => subpath);
const config = configOf(doors, json<SizeLimit[]>(".size-limit.json"));
const advice = "a door came or went: `npm run doors` writes what follows from the folders of src/";

/** What a door takes from outside when somebody bundles it. Types leave no trace. */
const outside: Record<string, { packages: string[]; node: boolean }> = {
  ".": { packages: ["pino"], node: true },
  "./changes": { packages: ["pino", "socket.io"], node: true },
  "./changes/client": { packages: [], node: false },
  "./auth": { packages: ["jose", "pino", "socket.io"], node: true },
  "./auth/client": { packages: [], node: false },
  "./client": { packages: [], node: false },
  "./collab": { packages: ["pino", "socket.io", "yjs"], node: true },
  "./collab/client": { packages: ["y-protocols", "yjs"], node: false },
  "./notifications": { packages: ["pino", "socket.io"], node: true },
  "./notifications/client": { packages: [], node: false },
  "./limits": { packages: ["pino"], node: true },
  "./plain": { packages: ["pino", "ws"], node: true },
  "./queue": { packages: ["pino", "socket.io"], node: true },
  "./queue/client": { packages: [], node: false },
  "./realtime": { packages: ["pino", "socket.io"], node: true },
  "./testing": { packages: ["pino", "socket.io", "socket.io-client"], node: true },
};

async function bundle(...files: string[]): Promise<{ text: string; meta: Metafile }> {
  const contents = files.map((file) => `export * from "./src/${file}.js";`).join("\n");
  const result = await build({
    stdin: { contents, resolveDir: root, loader: "ts" },
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
  it("are the index.ts of rooms and features, and the client.ts of features", () => {
    const found = files("src", /(^|\/)index\.tsx?$|^features\/[^/]+\/client\.tsx?$/).map((path) =>
      path.replace(/\.tsx?$/, ""),
    );
    expect(doors.map(({ file }) => file).toSorted()).toEqual(found);
    expect(new Set(subpaths).size, "two doors want one name").toBe(doors.length);
  });

  it("are what package.json exports, to every way of resolving", () => {
    const { main, types, exports, typesVersions } = json<Record<string, unknown>>("package.json");
    const { entryPoints: _, sizeLimit: __, ...expected } = config;
    expect({ main, types, exports, typesVersions }, advice).toEqual(expected);
  });

  it("are the entry points of the API reference", () => {
    expect(json<{ entryPoints: string[] }>("typedoc.json").entryPoints, advice).toEqual(config.entryPoints);
  });

  it("for clients have a limit of size", () => {
    expect(json<SizeLimit[]>(".size-limit.json"), advice).toEqual(config.sizeLimit);
  });

  it("mean the sources in this repository", () => {
    const { options } = ts.parseJsonConfigFileContent(json("tsconfig.json"), ts.sys, root);
    const importing = join(root, "test", "a.ts");
    const resolved = doors.map(({ subpath }) => {
      const name = `socket-ingress${subpath.slice(1)}`;
      return ts.resolveModuleName(name, importing, options, ts.sys).resolvedModule?.resolvedFileName;
    });
    const sources = doors.map(({ file }) => join(root, "src", `${file}.ts`));
    expect(resolved, "`paths` in tsconfig.json lead elsewhere").toEqual(sources);
  });

  it("open with an @module block", () => {
    const bare = doors.filter(({ file }) => !openingComment(join("src", `${file}.ts`)).includes("@module"));
    expect(bare.map(({ subpath }) => subpath)).toEqual([]);
  });
});

describe("what a door brings along", () => {
  it("is said for every door", () => {
    expect(Object.keys(outside).toSorted(), "add the door to `outside` above").toEqual(subpaths.toSorted());
  });

  it.for(doors.map(({ subpath, file }) => [subpath, file] as const))(
    "%s takes from outside only what it says",
    async ([door, file]) => {
      const allowed = outside[door] ?? { packages: [], node: false };
      const { meta } = await bundle(file);
      const wrong = imported(meta).filter((path) =>
        isBuiltin(path)
          ? !allowed.node
          : !allowed.packages.some((name) => path === name || path.startsWith(`${name}/`)),
      );
      expect(wrong).toEqual([]);
    },
  );

  it("./client weighs at most 8.5 kB, minified and compressed, beside socket.io-client", async () => {
    const { text } = await bundle("client/index");
    expect(gzipSync(text).byteLength).toBeLessThanOrEqual(8500);
  });

  it.each([
    ["changes", 2_500],
    ["notifications", 2_000],
    ["collab", 3_850],
  ])("./%s/client adds at most %i bytes to ./client, minified and compressed", async (feature, bytes) => {
    const [alone, both] = await Promise.all([
      bundle("client/index"),
      bundle("client/index", `features/${feature}/client`),
    ]);
    expect(gzipSync(both.text).byteLength - gzipSync(alone.text).byteLength).toBeLessThanOrEqual(bytes);
  });
});
