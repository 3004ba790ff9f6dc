/** The strict form of the drain test: `npx tsx bench/adversarial/drain.ts`. */
import { runDrain } from "../../test/adversarial/drain.ts";
import { writeSection } from "./results.ts";

const rounds = [
  { clients: 20, calls: 50, callMs: 200, graceMs: 1_000 },
  { clients: 20, calls: 50, callMs: 800, graceMs: 1_000 },
  { clients: 20, calls: 50, callMs: 1_000, graceMs: 10_000 },
];
const rows: string[] = [];
for (const round of rounds) {
  const { delivered, code, endedAfterMs } = await runDrain(round);
  rows.push(
    `| ${round.callMs} | ${round.graceMs} | ${delivered} of ${round.clients * round.calls} | ${endedAfterMs} | ${code} |`,
  );
  if (delivered !== round.clients * round.calls || code !== 0 || endedAfterMs > round.graceMs + 500)
    process.exitCode = 1;
}
const text = [
  "Twenty clients with fifty calls each when the order to shut down comes, and one peer that reads nothing and ignores the close.",
  "",
  "| a call takes ms | grace ms | replies delivered | process gone after ms | exit code |",
  "| ---: | ---: | ---: | ---: | ---: |",
  ...rows,
].join("\n");
process.stdout.write(`${text}\n`);
writeSection("drain", text);
