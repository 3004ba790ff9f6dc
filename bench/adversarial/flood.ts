/**
 * One client sends 20,000 events a second beside 50 honest ones: what do the honest ones notice, and what does it cost the server?
 * `npx tsx bench/adversarial/flood.ts [rounds] [ms]`. Socket.IO alone, the same once more and `socket-ingress` live in one process and
 * are flooded in turns; each spell is compared with those of the same turn.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import { Contestant } from "../../test/adversarial/contestant.ts";
import { RawClient } from "../../test/fixtures/raw-client.ts";
import { median, pairedRatio, turns } from "../measure/statistics.mjs";
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

/** What became of a flood and of the honest calls beside it. */
interface Flooded extends Spell {
  readonly flood: Flood;
  /** CPU time of the server in microseconds, per event of the flood. */
  readonly cpuUs: number;
}

const servers = { raw: "Socket.IO alone", same: "the same once more", ours: "socket-ingress" };
type Which = keyof typeof servers;
const whiches = Object.keys(servers) as Which[];

async function run(): Promise<Record<Which, Flooded[]>> {
  await using server = await Contestant.start(new URL("./flooded.ts", import.meta.url), { NODE_ENV: "production" });
  const ports = await server.command<Record<Which, number>>("ports");
  const urlOf = (which: Which): string => `http://127.0.0.1:${ports[which]}`;
  const honest = new Map<Which, RawClient[]>();
  for (const which of whiches) {
    const connecting = Array.from({ length: honestClients }, () =>
      RawClient.connect(urlOf(which), { deadlineMs: 10_000 }),
    );
    honest.set(which, await Promise.all(connecting));
  }
  const flooder = fork(fileURLToPath(new URL("./flooder.ts", import.meta.url)), { execArgv: ["--import", "tsx"] });
  await once(flooder, "message");
  const flood = async (which: Which): Promise<Flood> => {
    flooder.send({ url: urlOf(which), rate, ms: spellMs + 100 });
    return (await once(flooder, "message"))[0] as Flood;
  };
  const cpu = async (): Promise<number> => {
    const { user, system } = await server.command<NodeJS.CpuUsage>("cpu");
    return user + system;
  };
  const spell = async (which: Which): Promise<Flooded> => {
    const before = await cpu();
    const [calls, flooded] = await Promise.all([honestSpell(honest.get(which)!, spellMs), flood(which)]);
    return { ...calls, flood: flooded, cpuUs: ((await cpu()) - before) / flooded.sent };
  };

  const spells: Record<Which, Flooded[]> = { raw: [], same: [], ours: [] };
  for (const which of whiches) await spell(which);
  for (const order of turns(whiches, rounds)) {
    for (const which of order as Which[]) spells[which].push(await spell(which));
  }
  flooder.disconnect();
  for (const clients of honest.values()) for (const client of clients) client.terminate();
  return spells;
}

const spells = await run();
const sum = (which: Which, of: (spell: Flooded) => number): number =>
  spells[which].reduce((total, spell) => total + of(spell), 0);
const middle = (which: Which, of: (spell: Flooded) => number): number => median(spells[which].map(of));

const perServer = whiches.map((which) => {
  const cells = [
    servers[which],
    Math.round(middle(which, ({ flood }) => flood.rate)),
    sum(which, ({ flood }) => flood.sent),
    sum(which, ({ flood }) => flood.answered),
    sum(which, ({ flood }) => flood.heard["OVERLOADED"] ?? 0),
    `${middle(which, ({ p50 }) => p50).toFixed(2)} / ${middle(which, ({ p99 }) => p99).toFixed(2)}`,
    sum(which, ({ wrong }) => wrong),
    middle(which, ({ cpuUs }) => cpuUs).toFixed(1),
  ];
  return `| ${cells.join(" | ")} |`;
});

/** A control that is further off says that the ratio beside it would be of the machine, not of the servers. */
const mostOff = 0.1;
const compared = [
  { title: "p99 flooded, ours / raw", of: ({ p99 }: Flooded) => p99, atMost: 1.3 },
  { title: "CPU per flooded event, ours / raw", of: ({ cpuUs }: Flooded) => cpuUs, atMost: Infinity },
].map(({ title, of, atMost }) => {
  const ratioOf = (which: Which): number => pairedRatio(spells[which].map(of), spells.raw.map(of));
  const [control, ratio] = [ratioOf("same"), ratioOf("ours")];
  const isMeasured = Math.abs(control - 1) <= mostOff;
  if (isMeasured && ratio > atMost) process.exitCode = 1;
  return `| ${title} | ${control.toFixed(2)} | ${isMeasured ? ratio.toFixed(2) : "not measured"} |`;
});
if (sum("ours", ({ flood }) => flood.sent - flood.answered) > 0 || sum("ours", ({ wrong }) => wrong) > 0)
  process.exitCode = 1;

const text = [
  `One client asks for ${rate} events a second, each of which takes 10 to 30 ms to answer; ${honestClients} honest ones call twenty times a second each.`,
  "The servers live in one process and are flooded in turns, in a random order that the next turn has backwards:",
  `${rounds} spells of ${spellMs} ms each. A ratio is the mean of the middle half of those of each turn, and is not measured where raw against raw, by the`,
  `same method, is off by more than ${mostOff * 100} %. Flooder and honest clients are two more processes on the cores of the machine, so that whatever the`,
  "flood costs them and the kernel is in the honest calls' time, too. CPU is that of the server's process, with the honest calls' share.",
  "",
  "| flooded | raw against raw | ours / raw |",
  "| --- | ---: | ---: |",
  ...compared,
  "",
  "| server | events/s reached | sent | answered | OVERLOADED | honest p50 / p99, ms | honest calls failed | CPU per flooded event, us |",
  "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
  ...perServer,
].join("\n");
process.stdout.write(`${text}\n`);
writeSection("flood", text);
