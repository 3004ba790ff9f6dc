/**
 * Plays every scenario of `test/adversarial` against `socket-ingress` and against its peers, each in a process of its own, and writes
 * one table; those named are played, the others keep the marks of their last time. Usage: `npm ci && npm start [-- contestant ...]`; needs the root's `npm ci` too.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";

import { Contestant } from "../../test/adversarial/contestant.ts";
import { play } from "../../test/adversarial/play.ts";
import { scenarios } from "../../test/adversarial/scenarios.ts";
import { writeSection } from "./results.ts";

interface Entry {
  readonly name: string;
  readonly script: URL;
}

const version = (dependency: string, root = "./node_modules/"): string =>
  (
    JSON.parse(readFileSync(new URL(`${root}${dependency}/package.json`, import.meta.url), "utf8")) as {
      version: string;
    }
  ).version;

const peer = (script: string, label: string, dependency: string): Entry => ({
  name: `${label} ${version(dependency)}`,
  script: new URL(`./contestants/${script}.ts`, import.meta.url),
});

const entries = new Map<string, Entry>([
  ["socket-ingress", { name: "socket-ingress", script: new URL("../../test/adversarial/server.ts", import.meta.url) }],
  ["socket-io", peer("socket-io", "Socket.IO alone", "socket.io")],
  ["nest", peer("nest", "NestJS", "@nestjs/core")],
  ["socket-controllers", peer("socket-controllers", "socket-controllers", "socket-controllers")],
  ["zod-sockets", peer("zod-sockets", "zod-sockets", "zod-sockets")],
  ["feathers", peer("feathers", "Feathers", "@feathersjs/feathers")],
]);

const options = { deadlineMs: 1_500, slackMs: 250 };
// Every contestant runs as it would be deployed: some send stacks otherwise.
const environment = { NODE_ENV: "production" };

/** What is kept of a scenario, so that one contestant can be played again without the others. */
interface Mark {
  readonly id: string;
  readonly survived: boolean;
  readonly answered: boolean;
  readonly leaked: boolean;
}

const kept = new URL("./node_modules/.marks/", import.meta.url);

async function attack({ name, script }: Entry): Promise<Mark[]> {
  const verdicts: Mark[] = [];
  let server = await Contestant.start(script, environment);
  const { abilities } = server.ready;
  for (const scenario of scenarios) {
    if (!scenario.needs.every((need) => abilities.includes(need))) continue;
    if (scenario.ends || !server.isAlive) {
      await server[Symbol.asyncDispose]();
      server = await Contestant.start(script, environment);
    }
    const { survived, answered, leak, complaints } = await play(scenario, server, options);
    verdicts.push({ id: scenario.id, survived, answered, leaked: leak !== undefined });
    // Only one of them promised more than to survive and to answer.
    if (name === "socket-ingress" && complaints.length > 0) {
      process.stdout.write(`${scenario.id}: ${complaints.join("; ").slice(0, 500)}\n`);
    }
  }
  await server[Symbol.asyncDispose]();
  process.stderr.write(`${name}: ${verdicts.length} of ${scenarios.length} scenarios played\n`);
  return verdicts;
}

const wanted = process.argv.slice(2);
const chosen = [...entries].filter(([key]) => wanted.length === 0 || wanted.includes(key));
if (chosen.length === 0 && wanted[0] !== "table")
  throw new Error(`no such contestant; there are ${[...entries.keys()].join(", ")}, and "table" to play none`);

for (const [key, entry] of chosen) {
  const marks = await attack(entry);
  mkdirSync(kept, { recursive: true });
  writeFileSync(new URL(`${key}.json`, kept), JSON.stringify(marks));
}

const all = new Map<string, Map<string, Mark>>();
for (const [key, { name }] of entries) {
  const file = new URL(`${key}.json`, kept);
  if (!existsSync(file)) continue;
  const marks = JSON.parse(readFileSync(file, "utf8")) as Mark[];
  // A scenario that is no more, or that this contestant has not played yet, does not count.
  all.set(
    name,
    new Map(marks.filter(({ id }) => scenarios.some((scenario) => scenario.id === id)).map((mark) => [mark.id, mark])),
  );
}

const share = (marks: Iterable<Mark>, which: (mark: Mark) => boolean): number => [...marks].filter(which).length;

const table = [
  "| contestant | scenarios played | survived | answered | leaked |",
  "| --- | ---: | ---: | ---: | ---: |",
  ...[...all].map(([name, marks]) => {
    const survived = share(marks.values(), (mark) => mark.survived);
    const answered = share(marks.values(), (mark) => mark.answered);
    const leaked = share(marks.values(), (mark) => mark.leaked);
    return `| ${name} | ${marks.size} (${scenarios.length - marks.size} n/a) | ${survived} | ${answered} | ${leaked} |`;
  }),
].join("\n");

/** What a scenario is about, by the first part of its id. */
const groups = new Map<string, readonly string[]>([
  ["handlers", ["handler"]],
  ["interceptors", ["interceptor"]],
  ["coming and going", ["connect", "connection", "disconnect"]],
  ["validation", ["schema", "typed", "output"]],
  ["error hooks", ["error-hook", "logger"]],
  ["odd events", ["wire"]],
  ["broken frames", ["malformed", "polling"]],
  ["limits, neighbours, teardown", ["limits", "beside", "teardown"]],
  ["shutdown", ["shutdown"]],
]);

const byGroup = [
  `| survived / answered / of | ${[...groups.keys()].join(" | ")} |`,
  `| --- |${" ---: |".repeat(groups.size)}`,
  ...[...all].map(([name, marks]) => {
    const cells = [...groups.values()].map((prefixes) => {
      const mine = [...marks.values()].filter(({ id }) => prefixes.includes(id.split("/")[0] ?? ""));
      if (mine.length === 0) return "n/a";
      return `${share(mine, (mark) => mark.survived)} / ${share(mine, (mark) => mark.answered)} / ${mine.length}`;
    });
    return `| ${name} | ${cells.join(" | ")} |`;
  }),
].join("\n");

const notes = [
  "How to read it: a peer that sends nothing for an event nobody listens to, or tells of an error by an event of its own (NestJS's",
  "`exception`), leaves the acknowledgement unanswered, and that is what is counted. Each ran as it comes out of the box, in the idiom of its",
  "own documentation (`contestants/`); an application can catch much of this by hand. *Odd events* has one frame with 150,000 arguments,",
  "which ends every process that passes them on.",
].join("\n");

const inWords = (mark: Mark | undefined): string => {
  if (!mark) return "n/a";
  const words = [
    ...(mark.survived ? [] : ["**died**"]),
    ...(mark.answered ? [] : ["no answer"]),
    ...(mark.leaked ? ["leaked"] : []),
  ];
  return words.length === 0 ? "✓" : words.join(", ");
};

const details = [
  `| scenario | ${[...all.keys()].join(" | ")} |`,
  `| --- |${" --- |".repeat(all.size)}`,
  ...scenarios.map(({ id, sentence }) => {
    const cells = [...all.values()].map((marks) => inWords(marks.get(id)));
    return `| ${sentence.replaceAll("|", "\\|")} | ${cells.join(" | ")} |`;
  }),
].join("\n");

process.stdout.write(`${table}\n`);
const setting = `Node ${process.version}, ${availableParallelism()} cores, ${process.platform}; a call may stay unanswered for ${options.deadlineMs} ms.`;
writeSection("scenarios", `${table}\n\n${byGroup}\n\n${notes}\n\n${setting} Scenario by scenario: \`DETAILS.md\`.`);
writeFileSync(new URL("./DETAILS.md", import.meta.url), `# Every scenario, every contestant\n\n${details}\n`);
