/**
 * `npm run bench`: builds the package, installs the peers here on first use, measures section after section and writes
 * RESULTS.md and results.json.
 *
 * - `--quick`: the main ratios in under a minute, printed and not written;
 * - `--only=end-to-end,memory`: these sections; the others keep what results.json has of them;
 * - `--only=chaos`: the chaos suite, three times; it needs Redis, and runs only where it is named;
 * - `--rounds=5`: how many server processes a median is of (three unless told otherwise; five at least in the sections that
 *   compare processes, or a few per cent);
 * - `--part=many`, `--part=attaching`: of the memory section, the 10,000 connections alone, or what attaching takes;
 * - `INGRESS_BASELINE=path`: how this build compares with an earlier one (see `contestants/build.mjs`): the section `baseline` runs as well
 *   (`--only=baseline`: alone) and is printed, not written;
 * - `--windows=60`: how many windows of load a case that has to be exact gets in a process (eighty unless told otherwise).
 *
 * A row that can't be measured (its server ends, clients do not get through) says so, and the run goes on. How long each section took
 * is printed at the end.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";

const here = (path) => new URL(path, import.meta.url).pathname;
const args = process.argv.slice(2);
const option = (name) => args.find((arg) => arg.startsWith(`--${name}=`))?.split("=")[1];
const quick = args.includes("--quick");
const rounds = Number(option("rounds") ?? 3);
const windows = Number(option("windows") ?? 80);

if (!existsSync(here("node_modules")))
  execFileSync("npm", ["ci", "--no-audit", "--no-fund"], { cwd: here("."), stdio: "inherit" });
if (process.env.INGRESS_DIST === undefined)
  execFileSync("npm", ["run", "build"], { cwd: here(".."), stdio: ["ignore", "ignore", "inherit"] });

const baseline = process.env.INGRESS_BASELINE;
if (baseline !== undefined) (await import("./contestants/build.mjs")).copyBaseline(baseline);

const { startLoad } = await import("./measure/measure.mjs");
const { attempt } = await import("./measure/rows.mjs");
const sides = baseline === undefined ? [] : ["baseline"];
const all = [
  ...sides,
  "one-process",
  "coalescing",
  "push",
  "end-to-end",
  "dispatch",
  "memory",
  "growth",
  "features",
  "presence",
  "topics",
  "notifications",
  "queue",
  "changes",
  "limits",
  "plain",
  "collab",
  "chaos",
];
/** It takes long and measures no time: it runs where it is named. */
const onDemand = "chaos";
const inQuick = [...sides, "one-process", "coalescing", "push", "end-to-end"];
const chosen = option("only")?.split(",") ?? (quick ? inQuick : all.filter((name) => name !== onDemand));
const unknown = chosen.filter((name) => !all.includes(name));
if (unknown.length > 0)
  throw new Error(`no section ${unknown.join(", ")}; there are ${all.join(", ")}, and baseline with INGRESS_BASELINE`);
const isWritten = !quick && chosen.some((name) => !sides.includes(name));

/** Raised when what the sections say of their method is not true of older results: those are left out then. */
const method = 2;
const stored = here("results.json");
// what was not measured is a NaN, which JSON has as null
const revive = (_key, value) => (value === null ? NaN : value);
const before = isWritten && existsSync(stored) ? JSON.parse(readFileSync(stored, "utf8"), revive) : {};
const results = before.method === method ? before : { method, sections: {} };
const load = await startLoad();
const began = performance.now();
const log = (text) =>
  process.stderr.write(`${((performance.now() - began) / 1000).toFixed(0).padStart(5)} s  ${text}\n`);
const sections = [];
const seconds = {};
for (const name of all) {
  const section = await import(`./sections/${name}.mjs`);
  if (chosen.includes(name)) {
    log(`-- ${name}`);
    const from = performance.now();
    const previous = results.sections[name]?.measured;
    const measured = await attempt(`the section ${name}`, log, () =>
      section.run({ load, rounds, windows, quick, log, part: option("part"), previous }),
    );
    seconds[name] = Math.round((performance.now() - from) / 1000);
    log(`-- ${name} took ${seconds[name]} s`);
    if (measured === undefined) sections.push(`## ${name}\n\nnot measured in this run\n`);
    else if (name === "baseline") process.stdout.write(`${section.render(measured)}\n`);
    else
      results.sections[name] = {
        at: new Date().toISOString().slice(0, 10),
        rounds: quick ? 1 : rounds,
        windows,
        measured,
      };
    if (isWritten) writeFileSync(stored, `${JSON.stringify(results, null, 1)}\n`);
  }
  if (results.sections[name] !== undefined && (!quick || chosen.includes(name)))
    sections.push(section.render(results.sections[name].measured));
}
await load.stop();
log(
  Object.entries(seconds)
    .map((entry) => entry.join(" "))
    .join(" s, ") + " s",
);
results.machine = {
  node: process.version,
  cpu: cpus()[0]?.model ?? "unknown",
  cores: cpus().length,
  platform: process.platform,
};

const { node, cpu, cores, platform } = results.machine;
const version = (path) => JSON.parse(readFileSync(here(path), "utf8")).version;
const text = `# Results

Written by \`npm run bench\`; not edited by hand, and a row where we lose stays. Node ${node}, ${cores} cores (${cpu}), ${platform},
socket.io ${version("node_modules/socket.io/package.json")}, WebSocket only, packets of 82 bytes. Compare ratios, not times: times are this machine's on
that day. The server, the load client and the runner are processes of their own.

${sections.join("\n")}`;
if (quick) process.stdout.write(`${text}\n`);
else if (isWritten) {
  writeFileSync(here("RESULTS.md"), text);
  writeFileSync(stored, `${JSON.stringify(results, null, 1)}\n`);
}
process.exit();
