import type { ManagerDescription, SubscriptionDescription } from "socket-ingress";
import type { TopicDescription } from "socket-ingress/realtime";

/**
 * Who runs at which event, in that order and within which limits: a line for each event, and what the program is built on after its own.
 *
 * @param timeoutMs what holds for whoever says nothing else
 */
export function eventTable({ events, builtIn }: ManagerDescription, timeoutMs: number): string {
  const runs = grouped(events, ({ event }) => event);
  const width = Math.max(...[...runs.keys()].map((event) => event.length));
  const lines = [...runs].map(
    ([event, rows]) => `  ${event.padEnd(width)}  ${rows.map((row) => subscriber(row, timeoutMs)).join(", then ")}`,
  );
  const handlers = grouped(builtIn, ({ handler }) => handler);
  const others = [...handlers].map(([handler, rows]) => `  ${handler}: ${rows.map(({ event }) => event).join(", ")}`);
  return [...lines, ...(others.length > 0 ? ["", "  built in", ...others] : [])].join("\n");
}

/** Who may join which topics, and what these have. */
export function topicTable(topics: readonly TopicDescription[]): string {
  const lines = topics.map(({ pattern, policy, input, presence, history }) => {
    const said = [
      policy === "public" ? "public" : "asks at join",
      input && "input",
      presence && "presence",
      history !== undefined && `history (${history.keep} pushes, ${history.maxAgeMs / 1_000} s)`,
    ];
    return `  ${pattern}: ${said.filter((word) => word !== false).join(", ")}`;
  });
  return ["  topics", ...lines].join("\n");
}

function grouped<Row, Key>(rows: readonly Row[], keyOf: (row: Row) => Key): Map<Key, Row[]> {
  const groups = new Map<Key, Row[]>();
  for (const row of rows) groups.set(keyOf(row), [...(groups.get(keyOf(row)) ?? []), row]);
  return groups;
}

function subscriber(row: SubscriptionDescription, timeoutMs: number): string {
  const said = [
    row.guard && "guard",
    row.input && "input",
    row.callback === "errorFirst" && "error first",
    row.timeoutMs !== timeoutMs && `${row.timeoutMs / 1_000} s`,
    row.concurrency !== Infinity && lane(row),
  ].filter((word) => word !== false);
  return `${row.handler}.${row.method}${said.length > 0 ? ` (${said.join(", ")})` : ""}`;
}

function lane({ concurrency, keyed, queueMax, overflow }: SubscriptionDescription): string {
  const waiting = queueMax === 0 ? "none waits" : `${queueMax} wait`;
  return `${concurrency} at once per ${keyed ? "key" : "socket"}, ${waiting}${overflow === "dropOldest" ? ", the oldest goes" : ""}`;
}
