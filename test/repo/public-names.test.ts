import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { expect, it } from "vitest";
import { doorOf } from "./house.js";
import { files, json, root } from "./source-files.js";

/** The names that a door exports, types included. */
function namesOf(path: string): string[] {
  const file = ts.createSourceFile(path, readFileSync(join(root, "src", path), "utf8"), ts.ScriptTarget.Latest);
  return file.statements.flatMap((statement) =>
    ts.isExportDeclaration(statement) &&
    statement.exportClause !== undefined &&
    ts.isNamedExports(statement.exportClause)
      ? statement.exportClause.elements.map(({ name }) => name.text)
      : [],
  );
}

const doors = new Map(
  files("src", /\.ts$/).flatMap((path) => {
    const door = doorOf(path);
    return door === undefined ? [] : [[door, namesOf(path)] as const];
  }),
);

// What users import today. A name may come; one that goes is a break, which the changelog shows with what to write instead.
it.for(Object.entries(json<Record<string, string[]>>("test/repo/public-names.json")))(
  "%s exports every name it has exported before",
  ([door, names]) => {
    const now = doors.get(door) ?? [];
    expect(
      names.filter((name) => !now.includes(name)),
      "a name that goes is a break: say so in CHANGELOG.md with a diff, and take it out of public-names.json",
    ).toEqual([]);
  },
);
