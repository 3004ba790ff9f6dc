import { describe, expect, it } from "vitest";
import { json, sourceFiles, type SourceFile } from "./source-files.js";

const all = sourceFiles();

type Floor = "wire" | "protocol" | "core" | "feature" | "client" | "testing";

/** What each floor may import from, beside its own folder. */
const below: Record<Floor, Floor[]> = {
  wire: [],
  protocol: ["wire"],
  core: ["wire", "protocol"],
  feature: ["wire", "protocol", "core"],
  client: ["wire", "protocol"],
  testing: ["wire", "protocol", "core", "feature", "client"],
};

function folderOf(path: string): string {
  return path.includes("/") ? path.slice(0, path.indexOf("/")) : "";
}

function floorOf(path: string): Floor {
  const folder = folderOf(path);
  if (folder === "") return "core";
  if (folder === "wire") return "wire";
  if (path.endsWith("/protocol.ts")) return "protocol";
  if (folder === "client" || folder === "testing") return folder;
  return "feature";
}

const isDoor = (path: string): boolean => /(^|\/)index\.tsx?$/.test(path);

/** Every relative import as "from -> to". */
const edges = all.flatMap((file) =>
  file.imports.flatMap(({ target, names }) => (target === undefined ? [] : [{ from: file.path, to: target, names }])),
);

function circles(files: SourceFile[]): string[] {
  // Types may refer to each other across files, as they do in the domain; they are gone when the code runs.
  const runs = (file: SourceFile): string[] =>
    file.imports.flatMap(({ target, typeOnly }) => (target === undefined || typeOnly ? [] : [target]));
  const next = new Map(files.map((file) => [file.path, runs(file)]));
  const found: string[] = [];
  const done = new Set<string>();
  const walk = (path: string, trail: string[]): void => {
    const at = trail.indexOf(path);
    if (at >= 0) {
      found.push([...trail.slice(at), path].join(" -> "));
      return;
    }
    if (done.has(path)) return;
    for (const to of next.get(path) ?? []) walk(to, [...trail, path]);
    done.add(path);
  };
  for (const file of files) walk(file.path, []);
  return found;
}

describe("the floors of src/", () => {
  it("imports go down or stay in their folder, never up and never to a sibling", () => {
    const wrong = edges.filter(({ from, to }) => {
      const [lower, upper] = [floorOf(to), floorOf(from)];
      if (upper === "protocol") return lower !== "wire";
      if (folderOf(from) === folderOf(to)) return false;
      return !below[upper].includes(lower);
    });
    expect(wrong.map(({ from, to }) => `${from} (${floorOf(from)}) -> ${to} (${floorOf(to)})`)).toEqual([]);
  });

  it("nothing inside imports a door", () => {
    expect(edges.filter(({ to }) => isDoor(to)).map(({ from, to }) => `${from} -> ${to}`)).toEqual([]);
  });

  it("no import closes a circle", () => {
    expect(circles(all)).toEqual([]);
  });

  it("every relative import names a file that exists, with its .js ending", () => {
    const paths = new Set(all.map((file) => file.path));
    const wrong = edges.filter(({ to }) => !paths.has(to) && !paths.has(`${to}x`));
    expect(wrong.map(({ from, to }) => `${from} -> ${to}`)).toEqual([]);
  });

  it("a feature is built from what the core exports to everyone", () => {
    const door = all.find((file) => file.path === "index.ts");
    const exported = new Set(door?.imports.flatMap((one) => one.names.map((name) => `${one.target ?? ""}#${name}`)));
    const wrong = edges
      .filter(({ from, to }) => floorOf(from) === "feature" && floorOf(to) === "core")
      .flatMap(({ from, to, names }) => names.map((name) => ({ from, to, name })))
      .filter(({ to, name }) => !exported.has(`${to}#${name}`));
    expect(wrong.map(({ from, to, name }) => `${from} takes ${name} of ${to}`)).toEqual([]);
  });

  it("src/ imports from outside only what package.json promises its users", () => {
    const { dependencies, peerDependencies } = json<{
      dependencies: Record<string, string>;
      peerDependencies: Record<string, string>;
    }>("package.json");
    const promised = new Set([...Object.keys(dependencies), ...Object.keys(peerDependencies)]);
    const packageOf = (specifier: string): string =>
      specifier
        .split("/")
        .slice(0, specifier.startsWith("@") ? 2 : 1)
        .join("/");
    const wrong = all.flatMap(({ path, imports }) =>
      imports
        .filter(({ specifier, target }) => target === undefined && !specifier.startsWith("node:"))
        .filter(({ specifier }) => !promised.has(packageOf(specifier)))
        .map(({ specifier }) => `${path} -> ${specifier}`),
    );
    expect(wrong).toEqual([]);
  });

  it("wire and protocol files run in a browser: from outside they take types only", () => {
    const wrong = all
      .filter(({ path }) => floorOf(path) === "wire" || floorOf(path) === "protocol")
      .flatMap(({ path, imports }) =>
        imports
          .filter(({ target, typeOnly }) => target === undefined && !typeOnly)
          .map(({ specifier }) => `${path} -> ${specifier}`),
      );
    expect(wrong).toEqual([]);
  });
});

describe("the shape of src/", () => {
  it("no file is named after nothing", () => {
    const nothing = /(^|\/)(utils?|helpers?|common|misc|types?|constants?|shared|lib)\.tsx?$/;
    expect(all.map((file) => file.path).filter((path) => nothing.test(path))).toEqual([]);
  });

  it("files are named in kebab-case", () => {
    expect(
      all
        .map((file) => file.path)
        .filter((path) => !/^([a-z0-9]+(-[a-z0-9]+)*\/)*[a-z0-9]+(-[a-z0-9]+)*\.tsx?$/.test(path)),
    ).toEqual([]);
  });

  it("nothing is re-exported wholesale", () => {
    const text = all.flatMap(({ path, imports }) =>
      isDoor(path) && imports.some((one) => one.names.includes("*")) ? [path] : [],
    );
    expect(text).toEqual([]);
  });
});
