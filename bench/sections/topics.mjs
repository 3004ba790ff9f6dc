/** Topics and calls that run once: memory of a socket's first topic, what a repeated call takes, and `count()`. */
import { start } from "../measure/processes.mjs";
import { attempt } from "../measure/rows.mjs";
import { spread } from "../measure/statistics.mjs";
import { figure, figures, ratio, table, verdict } from "../measure/table.mjs";

export const name = "topics";

/** Measures each in a process of its own, as often as there are rounds. */
export async function run({ rounds, log }) {
  const found = [];
  for (let round = 0; round < rounds; round++) {
    const measured = await attempt("topics and calls", log, async () => {
      const child = await start("measure/topics.mjs", [], ["--expose-gc", "--no-warnings"]);
      try {
        return { memory: await child.ask("memory"), calls: await child.ask("calls"), count: await child.ask("count") };
      } finally {
        await child.stop();
      }
    });
    if (measured !== undefined) found.push(measured);
    log(`round ${round + 1}`);
  }
  const of = (read) => spread(found.map(read));
  return {
    first: of(({ memory }) => memory.first),
    second: of(({ memory }) => memory.second),
    plain: of(({ calls }) => calls.plain),
    many: of(({ calls }) => calls.many / calls.few),
    few: of(({ calls }) => calls.few),
    count: of(({ count }) => count),
  };
}

/** The section of RESULTS.md. */
export const render = ({ first, second, plain, few, many, count }) => `## Topics and calls that run once

On a server without a port, each in processes of its own; median, least and greatest. Memory is the growth of the heap after a
collection, for 4,000 sockets that join one topic, then another; Socket.IO's own room is in it. A repeated call is answered from what is
kept; it is to cost the same whether its caller has 10 answers kept or 100.

${table(
  [
    ["", (row) => row[0]],
    ["", (row) => row[1]],
    ["target", (row) => row[2]],
  ],
  [
    ["the first topic of a socket, bytes", figures(first), verdict(first.median, { atMost: 1_024 }, 1)],
    ["its second topic, bytes", figures(second), ""],
    ["a call without a request id, us", figures(plain), ""],
    ["a call repeated under its request id, us", figures(few), ""],
    ["the same with 100 answers kept, x", ratio(many), verdict(many.median, { atMost: 1.1 }, 1)],
    ["`count()` of a topic of 1,000 sockets, us", `${figure(count.median)}`, ""],
  ],
)}
`;
