// npm run options: writes docs/guide/options.md from the options that the doors export. What an option is, its doc comment says; what holds
// without it, its option table (src/events/option-table.ts) or, where there is none, `@default`. Where both say it they have to agree.
// `npm run options -- --check` writes nothing and fails where the page is out of date.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { findDoors } from "./doors.js";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const page = join(root, "docs", "guide", "options.md");

const preamble = `# All options, with their defaults

This page is written from the source. An option that does not fit is a \`TypeError\` that names it, what was expected and what was given, thrown while wiring. \`undefined\` is
the same as leaving an option out. Durations end in \`Ms\`, sizes in \`Bytes\`. Where no default is told an option is off, or there is none. How they are used is
told by the [guides](getting-started.md); what a client can make a server keep, by [security](security.md).

What holds for all events is said to the manager, or to an ingress of your own, and what holds for one beside it:

\`\`\`ts
import { Server } from "socket.io";
import { ServiceManager } from "socket-ingress";

const manager = new ServiceManager(new Server(3000), { timeoutMs: 5_000, maxInFlight: 20, onStartFailure: "continue" });
manager.ingress.subscribe("export", () => "done", { timeoutMs: 60_000, concurrency: 1 });
\`\`\`
`;

/** One option as the page shows it. */
interface Row {
  readonly name: string;
  readonly fallback: string;
  readonly sentence: string;
}

const doors = findDoors();
const program = ts.createProgram(
  doors.map(({ file }) => join(root, "src", `${file}.ts`)),
  {
    ...ts.parseJsonConfigFileContent(
      ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile).config,
      ts.sys,
      root,
    ).options,
    noCheck: true,
  },
);
const checker = program.getTypeChecker();
const isOurs = (node: ts.Node): boolean => !relative(join(root, "src"), node.getSourceFile().fileName).startsWith("..");

// --- what the tables say ----------------------------------------------------------------------------------------------------

const builders = new Set(["option", "duration", "count", "atLeast", "flag", "oneOf"]);

/** The fallback of a line of an option table, as it is written; `undefined` if this is no such line. */
function fallbackOf(line: ts.PropertyAssignment): string | undefined {
  let value: ts.Expression = line.initializer;
  while (ts.isAsExpression(value) || ts.isSatisfiesExpression(value)) value = value.expression;
  if (!ts.isCallExpression(value) || !ts.isIdentifier(value.expression)) return undefined;
  return builders.has(value.expression.text) ? value.arguments[0]?.getText() : undefined;
}

/** The fallbacks of each option by file, as tables stand in the file of their options, or beside it. */
const fallbacks = new Map<string, Map<string, string[]>>();
for (const file of program.getSourceFiles().filter(isOurs)) {
  const found = new Map<string, string[]>();
  const visit = (node: ts.Node): void => {
    if (ts.isPropertyAssignment(node)) {
      const fallback = fallbackOf(node);
      const name = node.name.getText();
      if (fallback !== undefined) found.set(name, [...(found.get(name) ?? []), fallback]);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  if (found.size > 0) fallbacks.set(file.fileName, found);
}

function inTables(property: ts.Declaration, name: string): string[] {
  const path = property.getSourceFile().fileName;
  const own = fallbacks.get(path)?.get(name);
  if (own !== undefined) return own;
  const beside = [...fallbacks].filter(([other]) => dirname(other) === dirname(path));
  return beside.flatMap(([, found]) => found.get(name) ?? []);
}

// --- one option -------------------------------------------------------------------------------------------------------------

/** As a person reads it: numbers in groups of three, words and lists as code. */
function shown(text: string): string {
  const product = /^[\d_]+( \* [\d_]+)*$/.test(text);
  if (!product) return /^["[]|^(true|false|Infinity)$/.test(text) ? `\`${text}\`` : text;
  const factors = text.split(" * ").map((factor) => Number(factor.replaceAll("_", "")));
  return factors.reduce((one, other) => one * other, 1).toLocaleString("en");
}

/** Whether a fallback is a value that can be told: a number, a word, a list of words. */
const isTold = (text: string): boolean => /^([\d_* ]+|".*"|true|false|Infinity|\["[^]*\])$/.test(text);

function rowOf(property: ts.Symbol, declaration: ts.PropertySignature | ts.MethodSignature, owner: string): Row {
  const { name } = property;
  const documented = property.getJsDocTags(checker).find((tag) => tag.name === "default");
  const said = ts
    .displayPartsToString(documented?.text)
    .replace(/^```ts\n([^]*)\n```$/, "$1")
    .replaceAll("\n", " ");
  const [, value = "", words = said] =
    /^([\d_]+|"[^"]*"|\[[^\]]*\]|true|false|Infinity)(?=[, ]|$)(.*)$/.exec(said) ?? [];
  const told = inTables(declaration, name).filter(isTold);
  if (told.length > 0 && said !== "" && !told.some((one) => shown(one) === shown(value)))
    throw new Error(`${owner}.${name}: @default says ${said}, its table ${told.join(" or ")}`);
  const table = new Set(told).size === 1 ? told[0] : undefined;
  // A table may have something to read a value that is missing by.
  const fallback = declaration.questionToken === undefined ? "needed" : shown(table ?? "");
  return {
    name,
    fallback: said === "" ? fallback : `${shown(value)}${words}`,
    sentence: firstSentence(ts.displayPartsToString(property.getDocumentationComment(checker))),
  };
}

function firstSentence(comment: string): string {
  const text = comment
    .split("\n\n", 1)
    .join("")
    .replaceAll(/\s+/g, " ")
    .replaceAll(/\{@link ([^}\s|]+)[^}]*\}/g, "`$1`");
  return /^.*?[.:?](?= [A-Z`"(]|$)(?<!\b(e\.g|i\.e)\.)/.exec(text)?.[0].replace(/:$/, ".") ?? text;
}

// --- one interface ----------------------------------------------------------------------------------------------------------

/** The section of an interface of options; what it inherits from others of the page is named there alone. */
function section(symbol: ts.Symbol, published: ReadonlySet<ts.Symbol>): string | undefined {
  const type = checker.getDeclaredTypeOfSymbol(symbol);
  const rows: Row[] = [];
  const others = new Map<string, string[]>();
  for (const property of checker.getPropertiesOfType(type)) {
    const declaration = property.declarations?.[0];
    if (declaration === undefined || !isOurs(declaration)) continue;
    if (!ts.isPropertySignature(declaration) && !ts.isMethodSignature(declaration)) continue;
    const parent = checker.getSymbolAtLocation((declaration.parent as ts.InterfaceDeclaration).name);
    if (parent !== undefined && parent !== symbol && published.has(parent))
      others.set(parent.name, [...(others.get(parent.name) ?? []), property.name]);
    else rows.push(rowOf(property, declaration, symbol.name));
  }
  if (rows.length === 0) return undefined;
  const also = [...others].map(([name, members]) => {
    const all = members.map((member) => `\`${member}\``).join(", ");
    return `Also ${all} of \`${name}\`.\n`;
  });
  const cell = (text: string): string => text.replaceAll("|", "\\|");
  return [
    `### ${symbol.name}\n`,
    `${firstSentence(ts.displayPartsToString(symbol.getDocumentationComment(checker)))}\n`,
    "| option | default | what it says |",
    "| --- | --- | --- |",
    ...rows.map(({ name, fallback, sentence }) => `| \`${name}\` | ${cell(fallback)} | ${cell(sentence)} |`),
    ...(also.length > 0 ? ["", ...also] : [""]),
  ].join("\n");
}

/** The interfaces of options that a door exports. */
function optionsOf(file: string): ts.Symbol[] {
  const source = program.getSourceFile(join(root, "src", `${file}.ts`).split(sep).join("/"));
  const module = source && checker.getSymbolAtLocation(source);
  if (module === undefined) throw new Error(`src/${file}.ts exports nothing`);
  return checker
    .getExportsOfModule(module)
    .map((symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol))
    .filter(({ name, flags }) => flags & ts.SymbolFlags.Interface && /(Options|Settings|Definition)$/.test(name));
}

/** The page, whole. */
function write(): string {
  const byDoor = doors.map((door) => ({ door, symbols: optionsOf(door.file) }));
  const published = new Set(byDoor.flatMap(({ symbols }) => symbols));
  const seen = new Set<ts.Symbol>();
  const parts = byDoor.map(({ door, symbols }) => {
    const sections = symbols
      .filter((symbol) => !seen.has(symbol) && seen.add(symbol))
      .map((symbol) => section(symbol, published));
    const shownOnes = sections.filter((one) => one !== undefined);
    return shownOnes.length === 0 ? "" : `## socket-ingress${door.subpath.slice(1)}\n\n${shownOnes.join("\n")}`;
  });
  return `${[preamble, ...parts.filter((part) => part !== "")].join("\n").trimEnd()}\n`;
}

const text = write();
if (argv.includes("--check")) {
  if (readFileSync(page, "utf8") !== text)
    throw new Error("docs/guide/options.md is out of date: run `npm run options`");
} else writeFileSync(page, text);
