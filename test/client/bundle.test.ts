import { build } from "esbuild";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";

const door = fileURLToPath(new URL("../../src/client/index.ts", import.meta.url));

describe("the client's bundle", () => {
  it("holds the client, what both ends agree on, and nothing else", async () => {
    const { metafile } = await build({
      entryPoints: [door],
      bundle: true,
      write: false,
      metafile: true,
      format: "esm",
    });
    const inputs = Object.keys(metafile.inputs).filter(
      (path) => !/^src\/(client|wire)\/|^src\/features\/\w+\/protocol\.ts$/.test(path),
    );
    expect(inputs).toEqual([]);
  });

  it("is at most 8.5 kB, minified and gzipped", async () => {
    const { outputFiles } = await build({
      entryPoints: [door],
      bundle: true,
      write: false,
      minify: true,
      format: "esm",
    });
    expect(gzipSync(outputFiles[0]?.contents ?? "", { level: 9 }).length).toBeLessThanOrEqual(8_500);
  });

  it("runs in a browser: it builds for one, without a module of Node", async () => {
    const { warnings } = await build({
      entryPoints: [door],
      bundle: true,
      write: false,
      platform: "browser",
      target: "es2022",
    });
    expect(warnings).toEqual([]);
  });
});
