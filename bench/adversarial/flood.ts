/**
 * One client sends 20,000 events a second beside 50 honest ones: what do the honest ones notice? `npx tsx bench/adversarial/flood.ts`.
 * Quiet and flooded spells take turns in one run, so that a slow minute of the machine strikes both.
 */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";

import { Contestant } from "../../test/adversarial/contestant.ts";
import { RawClient } from "../../test/fixtures/raw-client.ts";
import { writeSection } from "./results.ts";

const [rate, seconds, rounds] = [20_000, Number(process.argv[2] ?? 4), Number(process.argv[3] ?? 3)];
const honestClients = 50;
const everyMs = 50;

interface Flood {
  readonly sent: number;
  readonly answered: number;
  readonly heard: Record<string, number>;
  readonly rate: number;
}

await using server = await Contestant.start(new URL("../../test/adversarial/server.ts", import.meta.url), {
  NODE_ENV: "production",
  TIME_LIMIT_MS: "30000",
});
const clients = await Promise.all(
  Array.from({ length: honestClients }, () => RawClient.connect(server.url, { deadlineMs: 10_000 })),
);

/** Lets every honest client call twenty times a second and gives the time each call took. */
async function spell(ms: number): Promise<{ times: number[]; wrong: number }> {
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
        client.replies.length = 0;
        client.frames.length = 0;
        await new Promise((resolve) => setTimeout(resolve, Math.max(0, everyMs - took)));
      }
    }),
  );
  return { times, wrong };
}

const cpuMs = async (): Promise<number> => {
  const { user, system } = await server.command<NodeJS.CpuUsage>("cpu");
  return (user + system) / 1_000;
};

async function flooded(ms: number): Promise<{ times: number[]; wrong: number; flood: Flood; busy: number }> {
  const flooder = fork(
    fileURLToPath(new URL("./flooder.ts", import.meta.url)),
    [server.url, String(rate), String(ms / 1_000)],
    {
      execArgv: ["--import", "tsx"],
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    },
  );
  const flood = new Promise<Flood>((resolve) => flooder.once("message", (message) => resolve(message as Flood)));
  // Starting a process costs more than it sends in that time; the honest calls are timed once it floods.
  await server.command("slow/running", 100);
  const [started, before] = [performance.now(), await cpuMs()];
  const { times, wrong } = await spell(ms - 500);
  const busy = ((await cpuMs()) - before) / (performance.now() - started);
  return { times, wrong, flood: await flood, busy };
}

const percentile = (times: number[], share: number): number =>
  times.toSorted((a, b) => a - b)[Math.floor(times.length * share)] ?? Number.NaN;

await spell(1_000);
const rows: string[] = [];
const ratios: number[] = [];
let allAnswered = true;
for (let round = 1; round <= rounds; round++) {
  const quiet = await spell(seconds * 1_000 - 500);
  const loud = await flooded(seconds * 1_000);
  const [calm, noisy] = [percentile(quiet.times, 0.99), percentile(loud.times, 0.99)];
  ratios.push(noisy / calm);
  const { sent, answered, heard, rate: reached } = loud.flood;
  allAnswered &&= sent === answered;
  rows.push(
    `| ${round} | ${reached} | ${sent} | ${answered} | ${heard["value"] ?? 0} | ${heard["OVERLOADED"] ?? 0} | ${percentile(quiet.times, 0.5).toFixed(2)} / ${calm.toFixed(2)} | ${percentile(loud.times, 0.5).toFixed(2)} / ${noisy.toFixed(2)} | ${(noisy / calm).toFixed(2)} | ${quiet.wrong + loud.wrong} | ${Math.round(loud.busy * 100)} % |`,
  );
  process.stdout.write(`${rows.at(-1)}\n`);
}
for (const client of clients) await client[Symbol.asyncDispose]();

const best = ratios.toSorted((a, b) => a - b)[Math.floor(ratios.length / 2)]!;
const text = [
  `One client asks for ${rate} events a second, each of which takes 20 ms to answer; ${honestClients} honest ones call twenty times a second each.`,
  "Flooder, server and honest clients share the cores of one machine.",
  "",
  "| round | events/s reached | sent | answered | with a value | OVERLOADED | honest p50 / p99 quiet, ms | honest p50 / p99 flooded, ms | p99 ratio | honest calls failed | server's CPU, flooded |",
  "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
  ...rows,
  "",
  `The median of the p99 ratios is ${best.toFixed(2)}; promised is 1.3.`,
].join("\n");
process.stdout.write(`${text}\n`);
writeSection("flood", text);
if (!allAnswered || best > 1.3) process.exitCode = 1;
