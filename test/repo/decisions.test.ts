import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, describe, expect, it } from "vitest";
import { documents, files, root } from "./source-files.js";

const read = (path: string): string => readFileSync(join(root, path), "utf8");

/** Checks the decisions of a folder; rejects with what is wrong with them. */
async function check(...folder: string[]): Promise<void> {
  await promisify(execFile)(process.execPath, ["scripts/decisions.mjs", "--check", ...folder], { cwd: root });
}

const numbers = new Set(files("docs/decisions", /^\d{4}-/).map((path) => path.slice(0, 4)));

/** Every decision that a text cites, as in "decision 0001" or "decisions 0001 and 0002". */
function cited(text: string): string[] {
  const citations = text.matchAll(/\bdecisions?\s+(?:\*\s+|\/\/\s+)?(\d{4}(?:(?:,| and|, and) \d{4})*)/gi);
  return [...citations].flatMap((match) => (match[1] ?? "").match(/\d{4}/g) ?? []);
}

const sources = ["src", "test", "examples", "scripts"].flatMap((folder) =>
  files(folder, /\.(ts|tsx|mjs|cjs)$/).map((path) => `${folder}/${path}`),
);

describe("the decisions", () => {
  it("are whole, and their index is current", async () => {
    await check();
  });

  it("are cited by numbers that there are", () => {
    const wrong = [...sources, ...documents()].flatMap((path) =>
      cited(read(path))
        .filter((number) => !numbers.has(number))
        .map((number) => `${path} cites ${number}`),
    );
    expect(wrong).toEqual([]);
  });

  it("are cited by the code that depends on them, as long as they are in force", () => {
    const inCode = new Set(sources.filter((path) => path.startsWith("src/")).flatMap((path) => cited(read(path))));
    const inForce = files("docs/decisions", /^\d{4}-/).filter((path) =>
      /^- Status: in force$/m.test(read(`docs/decisions/${path}`)),
    );
    // One about the repository has no code in src/ that could cite it.
    const silent = inForce.filter((path) => !/^- Area: repo$/m.test(read(`docs/decisions/${path}`)));
    const advice = 'say "decision NNNN" in the comment of the code in src/ that depends on it';
    expect(
      silent.filter((path) => !inCode.has(path.slice(0, 4))),
      advice,
    ).toEqual([]);
  });
});

describe("a decision that is not whole", () => {
  const folders: string[] = [];
  afterEach(() => folders.splice(0).forEach((folder) => rmSync(folder, { recursive: true, force: true })));

  it.for([
    ["has an area that is nowhere", (text: string) => text.replace(/^- Area: .*/m, "- Area: attic"), /"attic"/],
    ["has a status of its own", (text: string) => text.replace(/^- Status: .*/m, "- Status: maybe"), /"maybe"/],
    ["names no figure", (text: string) => text.replace(/^- Figure: /m, "- Number: "), /Area, Status, Figure/],
    ["has another number than its name", (text: string) => text.replace("# 0001", "# 0002"), /"# 0001\. "/],
    ["lacks a section", (text: string) => text.replace("## Why", "## Because"), /What, Why/],
    ["says nothing in one", (text: string) => text.replace(/## Why\n[^#]*/, "## Why\n\n"), /says nothing/],
    ["is not in the index", (text: string) => text.replace(/^(# 0001\. ).*/, "$1Another title"), /npm run decisions/],
  ] as const)("that %s is told with advice", async ([, change, message]) => {
    const folder = mkdtempSync(join(tmpdir(), "decisions-"));
    folders.push(folder);
    cpSync(join(root, "docs/decisions"), folder, { recursive: true });
    const first = files("docs/decisions", /^0001-/)[0] ?? "";
    writeFileSync(join(folder, first), change(read(`docs/decisions/${first}`)));
    await expect(check(folder)).rejects.toThrow(message);
  });

  it("and has the number of another is told which one is free", async () => {
    const folder = mkdtempSync(join(tmpdir(), "decisions-"));
    folders.push(folder);
    cpSync(join(root, "docs/decisions"), folder, { recursive: true });
    const first = files("docs/decisions", /^0001-/)[0] ?? "";
    writeFileSync(join(folder, "0001-once-more.md"), read(`docs/decisions/${first}`));
    await expect(check(folder)).rejects.toThrow(/0001-once-more\.md: the numbers follow one another.*this is 0002/);
  });
});
