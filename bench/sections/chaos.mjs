/** The chaos suite in full, `npm run chaos`, three times in a row: what was broken, and what came of it. Only where it is asked for. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { table } from "../measure/table.mjs";

export const name = "chaos";

const runs = 3;
const root = fileURLToPath(new URL("../..", import.meta.url));

/** One run of the suite: what it says of itself, in a line that begins with `chaos:`. */
async function once() {
  const child = spawn("npm", ["run", "--silent", "chaos"], { cwd: root, stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.on("data", (chunk) => (text += chunk));
  const code = await new Promise((resolve) => child.once("exit", resolve));
  if (code !== 0) process.stderr.write(text);
  const line = /^chaos: (\{.*\})$/m.exec(text)?.[1];
  return { green: code === 0, ...(line === undefined ? {} : JSON.parse(line)) };
}

/** Runs it three times. */
export async function run({ log }) {
  const found = [];
  for (let i = 0; i < runs; i++) {
    found.push(await once());
    log(JSON.stringify(found.at(-1)));
  }
  return found;
}

/** The section of RESULTS.md. */
export const render = (results) => `## Chaos

\`npm run chaos\`: three processes on Redis streams, each with members and callers behind a balancer; processes are killed with
\`kill -9\`, stopped with SIGSTOP for five seconds, and Redis (\`appendonly yes\`, \`appendfsync always\`) is ended and started again. A run is
green when every push that was taken in arrived in order, once, or its gap was told; no call ran twice; presence was right within 10 s; no
process ended that was not killed; and no rejection was left unhandled. A push counts as taken in once its node has said so; a call is
answered, or TIMEOUT where its node died in the middle of it, INTERNAL where its work, which notes itself in Redis, could not, or
OVERLOADED where Redis was away and nobody could say who runs it.

${table(
  [
    ["run", (row) => (row.green ? "green" : "red")],
    ["kills", (row) => row.kills],
    ["stops", (row) => row.stops],
    ["Redis restarted", (row) => row.restarts],
    ["pushes taken in, of", (row) => `${row.taken} of ${row.pushes}`],
    ["received", (row) => row.received],
    ["gaps told", (row) => row.gaps],
    ["calls", (row) => row.calls],
    ["TIMEOUT", (row) => row.timeouts],
    ["INTERNAL", (row) => row.internal],
    ["OVERLOADED", (row) => row.overloaded],
    ["ghosts of a killed node, ms", (row) => row.ghostsMs],
  ],
  results,
)}
`;
