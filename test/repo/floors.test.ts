import { describe, expect, it } from "vitest";
import { doorOf, exceptions, featureOf, house, maySee, roomOf } from "./house.js";
import { json, sourceFiles, type SourceFile } from "./source-files.js";

const all = sourceFiles();

const isDoor = (path: string): boolean => doorOf(path) !== undefined;

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
  it("every room and every noun stands in the table, and nothing that is gone", () => {
    const rooms = new Set(all.map((file) => roomOf(file.path)));
    const advice = "add the room with its floor to test/repo/house.ts, or move the file into a room that is there";
    expect(
      [...rooms].filter((room) => house[room] === undefined),
      advice,
    ).toEqual([]);
    const built = new Set(["client.ts"]); // rooms that come with the first feature that needs them
    expect(Object.keys(house).filter((room) => !rooms.has(room) && !built.has(room))).toEqual([]);
  });

  it("the root of src/ shows at most 17 names", () => {
    const names = new Set(all.map((file) => file.path.split("/")[0]));
    expect(names.size, "a new file belongs into a room; a new feature into features/").toBeLessThanOrEqual(17);
  });

  it("imports go down or stay at home, as the table says", () => {
    const wrong = edges
      .filter(({ from, to }) => !maySee(from, to) && exceptions[`${from} -> ${to}`] === undefined)
      .map(({ from, to }) => `${from} (${roomOf(from)}) -> ${to} (${roomOf(to)})`);
    const advice =
      "an import runs up or into a room that is not to be seen: build the floor that both need (wire/ for both ends, " +
      "lifecycle/, events/, push/ for the server), don't copy; test/repo/house.ts is the table";
    expect(wrong, advice).toEqual([]);
    const there = new Set(edges.map(({ from, to }) => `${from} -> ${to}`));
    expect(
      Object.keys(exceptions).filter((edge) => !there.has(edge)),
      "exceptions that are not needed any more",
    ).toEqual([]);
  });

  it("nothing inside imports a door, but a feature that of realtime", () => {
    const wrong = edges.filter(
      ({ from, to }) => isDoor(to) && !(featureOf(from) !== undefined && to === "features/realtime/index.ts"),
    );
    expect(wrong.map(({ from, to }) => `${from} -> ${to}`)).toEqual([]);
  });

  it("no import closes a circle", () => {
    expect(circles(all)).toEqual([]);
  });

  it("every relative import names a file that exists, with its .js ending", () => {
    const paths = new Set(all.map((file) => file.path));
    const wrong = edges.filter(({ to }) => !paths.has(to) && !paths.has(`${to}x`));
    expect(wrong.map(({ from, to }) => `${from} -> ${to}`)).toEqual([]);
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
      .filter(({ path }) => roomOf(path) === "wire" || roomOf(path) === "protocol.ts")
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
