/**
 * One client sends 20,000 events a second beside 50 honest ones: what do the honest ones notice?
 * `npx tsx bench/adversarial/flood.ts [rounds] [ms]`. Quiet and flooded spells take turns in one run. Whatever else the machine does can
 * only add to a spell's time, so the calmer quarter of the spells of either kind is what is compared.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import { Contestant } from "../../test/adversarial/contestant.ts";
import { RawClient } from "../../test/fixtures/raw-client.ts";
import type { Flood } from "./flooder.ts";
import { writeSection } from "./results.ts";

const rate = 20_000;
const rounds = Number(process.argv[2] ?? 16);
const spellMs = Number(process.argv[3] ?? 1_500);
const honestClients = 50;
const everyMs = 50;

interface Spell {
  readonly p50: number;
  readonly p99: number;
  readonly calls: number;
  readonly wrong: number;
}

const percentile = (times: readonly number[], share: number): number =>
  times.toSorted((a, b) => a - b)[Math.floor(times.length * share)] ?? Number.NaN;

/** Lets every honest client call twenty times a second, spread evenly. */
async function honestSpell(clients: readonly RawClient[], ms: number): Promise<Spell> {
  const times: number[] = [];
  let wrong = 0;
  const until = performance.now() + ms;
  await Promise.all(
    clients.map(async (client, index) => {
      await new Promise((resolve) => setTimeout(resolve, (index * everyMs) / honestClients));
      while (performance.now() < until) {
        const started = performance.now();
        const [reply] = await client.call(["honest", 1]).catch(() => [undefined]);
        const took = performance.now() - started;
        times.push(took);
        if (JSON.stringify(reply) !== '{"ok":2}') wrong++;
        client.forget();
        await new Promise((resolve) => setTimeout(resolve, Math.max(0, everyMs - took)));
      }
    }),
  );
  return { p50: percentile(times, 0.5), p99: percentile(times, 0.99), calls: times.length, wrong };
}

interface Run {
  readonly quiet: readonly Spell[];
  readonly loud: readonly (Spell & { readonly flood: Flood; readonly cpu: number })[];
}

async function run(script: URL): Promise<Run> {
  await using server = await Contestant.start(script, { NODE_ENV: "production", TIME_LIMIT_MS: "30000" });
  const clients = await Promise.all(
    Array.from({ length: honestClients }, () => RawClient.connect(server.url, { deadlineMs: 10_000 })),
  );
  const flooder = fork(fileURLToPath(new URL("./flooder.ts", import.meta.url)), [server.url], {
    execArgv: ["--import", "tsx"],
  });
  await once(flooder, "message");
  const flooded = async (ms: number): Promise<Flood> => {
    flooder.send({ rate, ms });
    return (await once(flooder, "message"))[0] as Flood;
  };
  const cpuMs = async (): Promise<number> => {
    const { user, system } = await server.command<NodeJS.CpuUsage>("cpu");
    return (user + system) / 1_000;
  };

  const quiet: Spell[] = [];
  const loud: (Spell & { flood: Flood; cpu: number })[] = [];
  await Promise.all([honestSpell(clients, spellMs), flooded(spellMs)]);
  for (let round = 0; round < rounds; round++) {
    quiet.push(await honestSpell(clients, spellMs));
    const before = await cpuMs();
    const started = performance.now();
    const [spell, flood] = await Promise.all([honestSpell(clients, spellMs), flooded(spellMs + 100)]);
    loud.push({ ...spell, flood, cpu: ((await cpuMs()) - before) / (performance.now() - started) });
  }
  flooder.disconnect();
  for (const client of clients) await client[Symbol.asyncDispose]();
  return { quiet, loud };
}

/** The median of the calmer quarter. */
function calm(spells: readonly Spell[], of: (spell: Spell) => number): number {
  const sorted = spells.map(of).toSorted((a, b) => a - b);
  return percentile(sorted.slice(0, Math.max(1, Math.ceil(sorted.length / 4))), 0.5);
}

const rows: string[] = [];
for (const [name, script] of [
  ["socket-ingress", new URL("../../test/adversarial/server.ts", import.meta.url)],
  ["Socket.IO alone", new URL("./contestants/socket-io.ts", import.meta.url)],
] as const) {
  const { quiet, loud } = await run(script);
  const total = (of: (flood: Flood) => number): number => loud.reduce((sum, { flood }) => sum + of(flood), 0);
  const [sent, answered] = [total((flood) => flood.sent), total((flood) => flood.answered)];
  const [before, after] = [calm(quiet, ({ p99 }) => p99), calm(loud, ({ p99 }) => p99)];
  const failed = [...quiet, ...loud].reduce((sum, { wrong }) => sum + wrong, 0);
  const cells = [
    name,
    Math.round(total((flood) => flood.rate) / loud.length),
    sent,
    answered,
    total((flood) => flood.heard["OVERLOADED"] ?? 0),
    `${calm(quiet, ({ p50 }) => p50).toFixed(2)} / ${before.toFixed(2)}`,
    `${calm(loud, ({ p50 }) => p50).toFixed(2)} / ${after.toFixed(2)}`,
    (after / before).toFixed(2),
    failed,
    `${Math.round((loud.reduce((sum, { cpu }) => sum + cpu, 0) / loud.length) * 100)} %`,
  ];
  rows.push(`| ${cells.join(" | ")} |`);
  if (name === "socket-ingress" && (sent !== answered || failed > 0 || after / before > 1.3)) process.exitCode = 1;
}
const text = [
  `One client asks for ${rate} events a second, each of which takes 10 to 30 ms to answer; ${honestClients} honest ones call twenty times a second each.`,
  "Flooder, server and honest clients are three processes on the cores of one machine, so that whatever the flood costs the flooder and",
  `the kernel is in the honest calls' time, too. ${rounds} quiet and ${rounds} flooded spells of ${spellMs} ms take turns; the times are those of`,
  "the calmer quarter of either kind.",
  "",
  "| server | events/s reached | sent | answered | OVERLOADED | honest p50 / p99 quiet, ms | honest p50 / p99 flooded, ms | p99 ratio | honest calls failed | server's CPU, flooded |",
  "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
  ...rows,
].join("\n");
process.stdout.write(`${text}\n`);
writeSection("flood", text);
