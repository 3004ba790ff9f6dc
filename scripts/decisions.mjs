// npm run decisions: writes the index of docs/decisions from the files beside it, once each of them is whole.
// `npm run decisions -- --check` writes nothing and fails where the index is out of date; another folder may be named last.
import { existsSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { argv } from "node:process";
import { root } from "./steps.mjs";

const fields = ["Area", "Status", "Figure"];
const sections = ["What", "Why", "What else was considered"];

const preamble = `# Decisions

What a newcomer would question: what was decided, why, what else was considered, and the figure that pays for it. The code that
depends on a decision cites its number, as in \`decision 0001\`.

To add one: copy the newest file to the next number, say all of it, cite the number where the code depends on it, and run
\`npm run decisions\`, which writes this page. A decision that no longer holds is kept: its status becomes \`replaced by NNNN\` or
\`taken back\`.
`;

/** An area is a room, a noun or a feature of src/, or the repository itself. */
function isArea(area) {
  const places = [area, `${area}.ts`, `features/${area}`].map((place) => join(root, "src", place));
  return area === "repo" || places.some((place) => existsSync(place));
}

/** What one file says, and what is wrong with it. */
function read(name, text) {
  const wrong = [];
  const number = /^(\d{4})-[a-z0-9]+(-[a-z0-9]+)*\.md$/.exec(name)?.[1];
  if (number === undefined) wrong.push("its name is not NNNN-title.md, in small letters");
  const title = /^# (\d{4})\. (\S.*)$/.exec(text.split("\n", 1)[0] ?? "");
  if (title === null || title[1] !== number) wrong.push(`its first line is not "# ${number ?? "NNNN"}. " and a title`);

  const found = [...text.matchAll(/^- (\w+): (\S.*)$/gm)].map(([, field, value]) => [field, value]);
  if (found.map(([field]) => field).join() !== fields.join()) wrong.push(`it does not begin with ${fields.join(", ")}`);
  const { Area: area = "", Status: status = "" } = Object.fromEntries(found);
  if (!isArea(area)) wrong.push(`its area, "${area}", is no room, noun or feature of src/, and not "repo"`);
  if (!/^(in force|taken back|replaced by \d{4})$/.test(status)) {
    wrong.push(`its status, "${status}", is not "in force", "replaced by NNNN" or "taken back"`);
  }

  const parts = text.split(/^## /m).slice(1);
  const heads = parts.map((part) => part.split("\n", 1)[0]);
  if (heads.join() !== sections.join()) wrong.push(`its sections are not ${sections.join(", ")}, in this order`);
  for (const part of parts) if (part.split("\n").slice(1).join("").trim() === "") wrong.push("a section says nothing");
  return { name, number, title: title?.[2] ?? name, area, status, wrong: wrong.map((what) => `${name}: ${what}`) };
}

const args = argv.slice(2);
const check = args[0] === "--check";
const folder = args[check ? 1 : 0] ?? join(root, "docs", "decisions");
const index = join(folder, "README.md");

const names = (await readdir(folder)).filter((name) => name.endsWith(".md") && name !== "README.md").sort();
const decisions = await Promise.all(names.map(async (name) => read(name, await readFile(join(folder, name), "utf8"))));
const wrong = decisions.flatMap((decision) => decision.wrong);
decisions.forEach(({ name, number }, i) => {
  const due = String(i + 1).padStart(4, "0");
  if (number !== due)
    wrong.push(`${name}: the numbers follow one another without a gap or a double, so this is ${due}`);
});

const rows = decisions.map(
  ({ name, number, title, area, status }) =>
    `| [${number}](${name}) | ${title.replaceAll("|", "\\|")} | ${area} | ${status} |`,
);
const text = `${preamble}\n| number | decision | area | status |\n| --- | --- | --- | --- |\n${rows.join("\n")}\n`;
const current = existsSync(index) ? await readFile(index, "utf8") : "";

if (wrong.length > 0) throw new Error(`docs/decisions:\n${wrong.join("\n")}`);
if (check && current !== text) throw new Error("docs/decisions/README.md is out of date: run `npm run decisions`");
if (!check) await writeFile(index, text);
