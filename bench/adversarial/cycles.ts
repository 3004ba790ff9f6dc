/** The long form of the cycles test: `npx tsx bench/adversarial/cycles.ts [cycles]`. */
import { runCycles } from "../../test/adversarial/cycles.ts";
import { writeSection } from "./results.ts";

const cycles = Number(process.argv[2] ?? 10_000);
const rows: string[] = [];
for (const ingress of ["stays", "leaves"] as const) {
  const report = await runCycles({ cycles, ingress });
  const { sent, served, refused, other } = report.calls;
  const { timers: _, ...before } = report.before;
  const { timers: __, ...after } = report.after;
  const nothingLeft = JSON.stringify(before) === JSON.stringify(after) && report.after.timers <= report.before.timers;
  rows.push(
    `| ${ingress} | ${cycles} | ${sent} | ${served} | ${refused} | ${other + (report.runs - served)} | ${report.late} | ${nothingLeft ? "none" : "**some**"} | ${report.remembered} | ${(report.tookMs / 1_000).toFixed(1)} |`,
  );
  if (!nothingLeft || other !== 0 || report.late !== 0 || report.remembered !== 0 || report.runs !== served)
    process.exitCode = 1;
  process.stdout.write(`${JSON.stringify(report)}\n`);
}
const text = [
  "Three clients call without pause while handlers are set up and torn down. *Lost*: calls without an answer, or runs without one.",
  "*Late*: methods that ran after `teardown()` had resolved. *Left*: listeners on sockets, namespaces, engine, HTTP server and process,",
  "and timers, more than before. *Remembered*: torn-down handlers that the garbage collector could not take.",
  "",
  "| the ingress | cycles | calls | served | refused | lost | late | left | remembered | seconds |",
  "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- | ---: | ---: |",
  ...rows,
].join("\n");
writeSection("cycles", text);
