import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { errorCodes, isForgotten, passes } from "../../src/wire/codes.js";
import { codeBlocks } from "./code-blocks.js";
import { house } from "./house.js";
import { documents, files, json, root } from "./source-files.js";

const read = (path: string): string => readFileSync(join(root, path), "utf8");

/** Every link from a document to a file, with its target relative to the root of the repository. */
function links(from: string[]): { from: string; to: string }[] {
  return from.flatMap((path) =>
    [...read(path).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)[^)]*\)/g)].map((match) => ({
      from: path,
      to: posix.join(posix.dirname(path), match[1] ?? ""),
    })),
  );
}

/** The rows of the first table whose head begins with `code | meaning`: cells by code, without backticks around the code. */
function codeTable(markdown: string): Record<string, string[]> {
  const lines = markdown.split("\n");
  const head = lines.findIndex((line) => line.startsWith("| code | meaning |"));
  const rows: Record<string, string[]> = {};
  for (const line of lines.slice(head + 2)) {
    if (head < 0 || !line.startsWith("|")) break;
    const [code = "", ...cells] = line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim());
    rows[code.replaceAll("`", "")] = cells;
  }
  return rows;
}

describe("the documents", () => {
  it("PROTOCOL.md lists every error code with its meaning, word for word, and its traits, and no other", () => {
    const said = (is: boolean): string => (is ? "yes" : "");
    const codes = Object.entries(errorCodes).map(([code, meaning]) => [
      code,
      [meaning, said(passes(code)), said(isForgotten(code))],
    ]);
    expect(codeTable(read("PROTOCOL.md"))).toEqual(Object.fromEntries(codes));
  });

  it("README.md is a door of at most 200 lines", () => {
    expect(read("README.md").trimEnd().split("\n").length).toBeLessThanOrEqual(200);
  });

  it("every guide is linked from README.md, and has its place on the site", () => {
    const guides = files("docs/guide", /\.md$/).map((path) => `docs/guide/${path}`);
    const linked = new Set(links(["README.md"]).map(({ to }) => to));
    expect(guides.filter((path) => !linked.has(path))).toEqual([]);
    const { projectDocuments } = json<{ projectDocuments: string[] }>("typedoc.json");
    expect(guides.filter((path) => !projectDocuments.includes(path))).toEqual([]);
  });

  it("examples/hello is word for word a program of README.md, of at most 40 lines", () => {
    const program = read("examples/hello/server.ts").trimEnd();
    expect(program.split("\n").length).toBeLessThanOrEqual(40);
    expect(codeBlocks("README.md").map((block) => block.code.trimEnd())).toContain(program);
  });

  it("a link from one document to a file of the repository finds it", () => {
    const dead = links(documents()).filter(({ to }) => !existsSync(join(root, to)));
    expect(dead.map(({ from, to }) => `${from} -> ${to}`)).toEqual([]);
  });

  it("a link in a document of the package leads to a file of the package", { timeout: 60_000 }, async () => {
    const { stdout } = await promisify(execFile)("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
      cwd: root,
    });
    const [{ files: inside }] = JSON.parse(stdout) as [{ files: { path: string }[] }];
    const packed = new Set(inside.map(({ path }) => path));
    expect([...packed]).toEqual(expect.arrayContaining(["README.md", "PROTOCOL.md", "docs/guide/realtime.md"]));
    const out = links([...packed].filter((path) => path.endsWith(".md"))).filter(({ to }) => !packed.has(to));
    expect(
      out.map(({ from, to }) => `${from} -> ${to}`),
      "name the file without a link, or add it to the files of package.json",
    ).toEqual([]);
  });

  it("a path that a document names is there", () => {
    const folders = ["src", "test", "scripts", "examples", "bench", "docs"].join("|");
    const named = new RegExp(`\`((?:${folders})/[\\w./-]*)\``, "g");
    const gone = documents().flatMap((path) =>
      [...read(path).matchAll(named)]
        .map((match) => match[1] ?? "")
        .filter((target) => !existsSync(join(root, target)))
        .map((target) => `${path} names ${target}`),
    );
    expect(gone).toEqual([]);
  });

  it("nothing names the machine it was written on", () => {
    const written = [
      ...documents(),
      ...["src", "test", "examples", "scripts"].flatMap((folder) => files(folder).map((path) => `${folder}/${path}`)),
    ];
    const machinePath = new RegExp(`(^|["'\`\\s(])/(${["work", "root", "home", "tmp"].join("|")})/`, "m");
    expect(written.filter((path) => machinePath.test(read(path)))).toEqual([]);
  });

  it("nothing holds the mark of a merge that was not ended", () => {
    const written = [
      ...documents(),
      ...["src", "test", "examples", "scripts", "bench"].flatMap((folder) =>
        files(folder, /\.(ts|tsx|mjs|cjs|md|css|html|json|py)$/)
          .filter((path) => !path.includes("node_modules/"))
          .map((path) => `${folder}/${path}`),
      ),
    ];
    const mark = new RegExp(`^(${["<", ">"].map((sign) => sign.repeat(7)).join("|")}) `, "m");
    expect(written.filter((path) => mark.test(read(path)))).toEqual([]);
  });
});

describe("docs/architecture.md", () => {
  it("draws with files that are there", () => {
    const names = new Set(files("src").map((path) => posix.basename(path)));
    const drawings = [...read("docs/architecture.md").matchAll(/^```\n([^]*?)^```$/gm)].map(
      ([, drawing = ""]) => drawing,
    );
    expect(drawings.length).toBeGreaterThanOrEqual(4);
    const drawn = drawings.flatMap((drawing) => drawing.match(/[\w-]+\.ts\b/g) ?? []);
    expect(drawn.filter((name) => !names.has(name))).toEqual([]);
  });

  it("puts every room and noun on the floor it has", () => {
    const rows = read("docs/architecture.md").matchAll(/^\| (\d+) \| ([^|]+) \|/gm);
    const said = [...rows].flatMap(([, floor, rooms = ""]) =>
      [...rooms.matchAll(/`([^`]+)`/g)].map(([, room = ""]) => [room.replace(/\/$/, ""), Number(floor)] as const),
    );
    const floors = Object.entries(house).map(([room, { floor }]) => [room, floor] as const);
    expect(Object.fromEntries(said)).toEqual(Object.fromEntries(floors));
  });
});

it("what the documents show of a client loads nothing of a server's door, which no browser could", () => {
  const clients = documents().flatMap((document) =>
    codeBlocks(document)
      .filter(({ code }) => /from "socket\.io-client"/.test(code) && !/from "(socket\.io|vitest|node:\w+)"/.test(code))
      .map(({ code, line }) => ({ code, where: `${document}:${line}` })),
  );
  const serverDoors = /^import (?!type )[^;]* from "(socket-ingress(?!\/(\w+\/)?client")[\w/-]*)";/gm;
  const wrong = clients.flatMap(({ code, where }) =>
    [...code.matchAll(serverDoors)].map(([, door]) => `${where} ${door}`),
  );
  expect(clients.length).toBeGreaterThan(5);
  expect(wrong).toEqual([]);
});
