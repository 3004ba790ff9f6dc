/** The long run: `npm run fuzz [-- --seed 1 --dispatch 1000000 --live 200000]`. */
import { parseArgs } from "node:util";

import { fuzzDispatch } from "./dispatch.js";
import { fuzzLive } from "./live.js";
import type { FuzzReport } from "./report.js";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
    dispatch: { type: "string", default: "1000000" },
    live: { type: "string", default: "200000" },
  },
});
const seed = Number(values.seed);
process.stdout.write(`seed ${seed}\n`);

const tell = (what: string, { runs, outcomes, findings, tookMs }: FuzzReport): void => {
  process.stdout.write(`${what}: ${runs} in ${Math.round(tookMs / 1_000)} s: ${JSON.stringify(outcomes)}\n`);
  for (const finding of findings) process.stdout.write(`  FOUND ${finding}\n`);
  if (findings.length > 0) process.exitCode = 1;
};

tell("dispatched in process", await fuzzDispatch({ seed, runs: Number(values.dispatch) }));
tell("sent over live sockets", await fuzzLive({ seed, runs: Number(values.live) }));
