import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { errorCodes, isForgotten, passes } from "../../src/wire/codes.js";
import { codeBlocks } from "./code-blocks.js";
import { files, root } from "./source-files.js";

const read = (path: string): string => readFileSync(join(root, path), "utf8");

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

  it("examples/hello is word for word a program of README.md, of at most 40 lines", () => {
    const program = read("examples/hello/server.ts").trimEnd();
    expect(program.split("\n").length).toBeLessThanOrEqual(40);
    expect(codeBlocks("README.md").map((block) => block.code.trimEnd())).toContain(program);
  });

  it("a link from one document to a file of the repository finds it", () => {
    const dead = ["README.md", "PROTOCOL.md", "DECISIONS.md", "CHANGELOG.md", "REALTIME.md"].flatMap((path) =>
      [...read(path).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)[^)]*\)/g)]
        .map((match) => match[1] ?? "")
        .filter((target) => !existsSync(join(root, target)))
        .map((target) => `${path} -> ${target}`),
    );
    expect(dead).toEqual([]);
  });

  it("nothing names the machine it was written on", () => {
    const written = [
      "README.md",
      "PROTOCOL.md",
      "DECISIONS.md",
      "CHANGELOG.md",
      "REALTIME.md",
      ...["src", "test", "examples", "scripts"].flatMap((folder) => files(folder).map((path) => `${folder}/${path}`)),
    ];
    const machinePath = new RegExp(`(^|["'\`\\s(])/(${["work", "root", "home", "tmp"].join("|")})/`, "m");
    expect(written.filter((path) => machinePath.test(read(path)))).toEqual([]);
  });
});
