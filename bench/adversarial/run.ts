/**
 * Plays every scenario of `test/adversarial` against `socket-ingress` and against its peers, each in a process of its own, and writes
 * one table. Usage: `npm ci && npm start [-- contestant ...]`; needs the root's `npm ci` too.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";

import { Contestant } from "../../test/adversarial/contestant.ts";
import { play, type Verdict } from "../../test/adversarial/play.ts";
import { scenarios } from "../../test/adversarial/scenarios.ts";
import { writeSection } from "./results.ts";

interface Entry {
  readonly name: string;
  readonly script: URL;
}

const version = (dependency: string, root = "./node_modules/"): string =>
  (JSON.parse(readFileSync(new URL(`${root}${dependency}/package.json`, import.meta.url), "utf8")) as { version: string }).version;

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

const options = { deadlineMs: 1_000, slackMs: 250 };
// Every contestant runs as it would be deployed: some send stacks otherwise.
const environment = { NODE_ENV: "production" };

async function attack({ name, script }: Entry): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  let server = await Contestant.start(script, environment);
  const { abilities } = server.ready;
  for (const scenario of scenarios) {
    if (!scenario.needs.every((need) => abilities.includes(need))) continue;
    if (scenario.ends || !server.isAlive) {
      await server[Symbol.asyncDispose]();
      server = await Contestant.start(script, environment);
    }
    const verdict = await play(scenario, server, options);
    verdicts.push(verdict);
  }
  await server[Symbol.asyncDispose]();
  process.stderr.write(`${name}: ${verdicts.length} of ${scenarios.length} scenarios played\n`);
  return verdicts;
}

const wanted = process.argv.slice(2);
const chosen = [...entries].filter(([key]) => wanted.length === 0 || wanted.includes(key)).map(([, entry]) => entry);
if (chosen.length === 0) throw new Error(`no such contestant; there are ${[...entries.keys()].join(", ")}`);

const all = new Map<string, Verdict[]>();
for (const entry of chosen) all.set(entry.name, await attack(entry));

const row = (name: string, verdicts: readonly Verdict[]): string => {
  const played = verdicts.length;
  const survived = verdicts.filter((verdict) => verdict.survived).length;
  const answered = verdicts.filter((verdict) => verdict.answered).length;
  const leaked = verdicts.filter((verdict) => verdict.leak !== undefined).length;
  return `| ${name} | ${played} (${scenarios.length - played} n/a) | ${survived} | ${answered} | ${leaked} |`;
};

const table = [
  "| contestant | scenarios played | survived | answered | leaked |",
  "| --- | ---: | ---: | ---: | ---: |",
  ...[...all].map(([name, verdicts]) => row(name, verdicts)),
].join("\n");

const mark = (verdict: Verdict | undefined): string => {
  if (!verdict) return "n/a";
  const words = [
    ...(verdict.survived ? [] : ["**died**"]),
    ...(verdict.answered ? [] : ["no answer"]),
    ...(verdict.leak === undefined ? [] : ["leaked"]),
  ];
  return words.length === 0 ? "✓" : words.join(", ");
};

const details = [
  `| scenario | ${[...all.keys()].join(" | ")} |`,
  `| --- |${" --- |".repeat(all.size)}`,
  ...scenarios.map((scenario) => {
    const marks = [...all.values()].map((verdicts) => mark(verdicts.find((verdict) => verdict.scenario.id === scenario.id)));
    return `| ${scenario.sentence.replaceAll("|", "\\|")} | ${marks.join(" | ")} |`;
  }),
].join("\n");

process.stdout.write(`${table}\n`);
for (const [name, verdicts] of all) {
  if (!name.startsWith("socket-ingress")) continue;
  for (const { scenario, complaints } of verdicts) {
    if (complaints.length > 0) process.stdout.write(`${name}: ${scenario.id}: ${complaints.join("; ").slice(0, 500)}\n`);
  }
}

if (wanted.length === 0) {
  const setting = `Node ${process.version}, ${availableParallelism()} cores, ${process.platform}; a call may stay unanswered for ${options.deadlineMs} ms.`;
  writeSection("scenarios", `${table}\n\n${setting}`);
  writeFileSync(new URL("./DETAILS.md", import.meta.url), `# Every scenario, every contestant\n\n${details}\n`);
}
