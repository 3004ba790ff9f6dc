import { readFileSync } from "node:fs";
import { dirname, join, posix, relative } from "node:path";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { codeBlocks } from "./code-blocks.js";
import { doorFolders, files, root } from "./source-files.js";

const doors = doorFolders().map((folder) => posix.join("src", folder, "index.ts"));
const documents = ["README.md", "PROTOCOL.md", "DECISIONS.md", "CHANGELOG.md", "REALTIME.md", ...doors];

/** Files that exist in memory only: each block of a document, in a folder of that document's name. */
const blocks = documents.flatMap((document) =>
  codeBlocks(document).map((block) => ({
    ...block,
    document,
    path: join(root, `.${document.replaceAll("/", "-")}`, block.name),
  })),
);
const checked = blocks.filter((block) => block.unchecked === undefined);
const typeTests = files("test/types", /\.test-d\.tsx?$/).map((path) => join(root, "test/types", path));

/** One program for all, as most of the time goes into the types of Node and Socket.IO. */
function compile(): ts.Program {
  const config = ts.getParsedCommandLineOfConfigFile(join(root, "tsconfig.json"), undefined, {
    ...ts.sys,
    onUnRecoverableConfigFileDiagnostic: (diagnostic) => {
      throw new Error(ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n"));
    },
  });
  if (config === undefined) throw new Error("tsconfig.json can't be read");
  const host = ts.createCompilerHost(config.options, true);
  const virtual = new Map(checked.map((block) => [block.path, block.code]));
  const virtualFolders = new Set(checked.map((block) => dirname(block.path)));
  const { fileExists, readFile, directoryExists, getSourceFile } = host;
  host.fileExists = (path) => virtual.has(path) || fileExists(path);
  host.directoryExists = (path) => virtualFolders.has(path) || (directoryExists?.(path) ?? true);
  host.readFile = (path) => virtual.get(path) ?? readFile(path);
  host.getSourceFile = (path, languageVersion, ...rest) => {
    const code = virtual.get(path);
    if (code === undefined) return getSourceFile(path, languageVersion, ...rest);
    return ts.createSourceFile(path, code, languageVersion, true);
  };
  return ts.createProgram([...virtual.keys(), ...typeTests], { ...config.options, noUnusedLocals: false }, host);
}

function problems(program: ts.Program, path: string, firstLine = 1): string[] {
  const file = program.getSourceFile(path);
  if (file === undefined) return [`${relative(root, path)} is not part of the program`];
  return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map((diagnostic) => {
    const { line } = file.getLineAndCharacterOfPosition(diagnostic.start ?? 0);
    return `line ${line + firstLine}: ${ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n")}`;
  });
}

let shared: ts.Program | undefined;
const program = (): ts.Program => (shared ??= compile());

describe("the code in the documents", () => {
  it("README.md has code, and whatever is not compiled says why", () => {
    expect(blocks.filter((block) => block.document === "README.md").length).toBeGreaterThan(0);
    const silent = blocks.filter((block) => block.unchecked !== undefined && block.unchecked.trim().length < 10);
    expect(silent.map((block) => `${block.document}:${block.line}`)).toEqual([]);
  });

  it("every door opens with a program to try", () => {
    expect(doors.filter((door) => !checked.some((block) => block.document === door))).toEqual([]);
  });

  it("no two blocks of a document have one name", () => {
    const paths = blocks.map((block) => block.path);
    expect(paths.filter((path, index) => paths.indexOf(path) !== index)).toEqual([]);
  });

  it.for(checked.map((block) => [`${block.document}:${block.line}`, block] as const))(
    "%s compiles",
    { timeout: 60_000 },
    ([, block]) => {
      expect(problems(program(), block.path, block.line)).toEqual([]);
    },
  );
});

describe("the programs of test/types", () => {
  it("are there, and each has programs that must not compile", () => {
    expect(typeTests.length).toBeGreaterThan(0);
    const tame = typeTests.filter((path) => !readFileSync(path, "utf8").includes("@ts-expect-error"));
    expect(tame.map((path) => relative(root, path))).toEqual([]);
  });

  it.for(typeTests.map((path) => [relative(root, path), path] as const))(
    "%s compiles where it should and fails where it should",
    { timeout: 60_000 },
    ([, path]) => {
      expect(problems(program(), path)).toEqual([]);
    },
  );
});
