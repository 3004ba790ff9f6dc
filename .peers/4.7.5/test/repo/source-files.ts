import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

/** The folder of `package.json`. */
export const root: string = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** One `import` or `export ... from` of a file in `src/`. */
export interface Import {
  /** As written: `./x.js`, `pino`, `node:events`. */
  specifier: string;
  /** For a relative one the file in `src/` that it names, e.g. `wire/codes.ts`. */
  target: string | undefined;
  /** The names it takes; `*` for a whole module or a dynamic import. */
  names: string[];
  typeOnly: boolean;
}

/** A file of `src/`, as the tests about floors and doors see it. */
export interface SourceFile {
  /** Relative to `src/`, with slashes. */
  path: string;
  imports: Import[];
}

function filesBelow(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(join(root, folder), join(entry.parentPath, entry.name)).split(sep).join("/"));
}

/** Every file below a folder of the repository that git would keep, relative to that folder. */
export function files(folder: string, pattern: RegExp = /./): string[] {
  return filesBelow(folder)
    .filter((path) => pattern.test(path) && !/(^|\/)(node_modules|dist)\//.test(path))
    .sort();
}

function parse(path: string): ts.SourceFile {
  const text = readFileSync(join(root, "src", path), "utf8");
  return ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
}

function namesOf(node: ts.ImportDeclaration | ts.ExportDeclaration): { names: string[]; typeOnly: boolean } {
  if (ts.isExportDeclaration(node)) {
    const clause = node.exportClause;
    if (clause === undefined || !ts.isNamedExports(clause)) return { names: ["*"], typeOnly: node.isTypeOnly };
    return {
      names: clause.elements.map((element) => (element.propertyName ?? element.name).text),
      typeOnly: node.isTypeOnly || clause.elements.every((element) => element.isTypeOnly),
    };
  }
  const clause = node.importClause;
  if (clause === undefined) return { names: [], typeOnly: false };
  const wholeClause = clause.phaseModifier === ts.SyntaxKind.TypeKeyword;
  const bindings = clause.namedBindings;
  const names = clause.name === undefined ? [] : ["default"];
  if (bindings === undefined) return { names, typeOnly: wholeClause };
  if (ts.isNamespaceImport(bindings)) return { names: [...names, "*"], typeOnly: wholeClause };
  names.push(...bindings.elements.map((element) => (element.propertyName ?? element.name).text));
  return { names, typeOnly: wholeClause || bindings.elements.every((element) => element.isTypeOnly) };
}

function importsOf(path: string): Import[] {
  const imports: Import[] = [];
  const add = (specifier: string, names: string[], typeOnly: boolean): void => {
    const target = specifier.startsWith(".")
      ? posix.join(posix.dirname(path), specifier).replace(/\.js$/, ".ts")
      : undefined;
    imports.push({ specifier, target, names, typeOnly });
  };
  const visit = (node: ts.Node): void => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier !== undefined) {
      const { names, typeOnly } = namesOf(node);
      add((node.moduleSpecifier as ts.StringLiteral).text, names, typeOnly);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add((node.argument.literal as ts.StringLiteral).text, ["*"], true);
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [argument] = node.arguments;
      if (argument !== undefined && ts.isStringLiteralLike(argument)) add(argument.text, ["*"], false);
    }
    ts.forEachChild(node, visit);
  };
  visit(parse(path));
  return imports;
}

/** Every TypeScript file of `src/` with what it imports. */
export function sourceFiles(): SourceFile[] {
  return files("src", /\.tsx?$/).map((path) => ({ path, imports: importsOf(path) }));
}

/** Folders of `src/` with an `index.ts`: `""` is `src/` itself. */
export function doorFolders(): string[] {
  return files("src", /(^|\/)index\.tsx?$/).map((path) => path.replace(/\/?index\.tsx?$/, ""));
}

/** A JSON file of the repository's root. */
export function json<T>(path: string): T {
  // The caller names what it reads from a file of ours.
  return JSON.parse(readFileSync(join(root, path), "utf8")) as T;
}
