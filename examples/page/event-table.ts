import type { ManagerDescription, SubscriptionDescription } from "socket-ingress";

/**
 * Who runs at which event, in that order and within which limits: a line for each event, and what the program is built on after its own.
 *
 * @param timeoutMs what holds for whoever says nothing else
 */
export function eventTable({ events, builtIn }: ManagerDescription, timeoutMs: number): string {
  const runs = grouped(events, ({ event }) => event);
  const width = Math.max(...[...runs.keys()].map((event) => event.length));
  const lines = [...runs].map(
    ([event, rows]) => `  ${event.padEnd(width)}  ${rows.map((row) => subscriberText(row, timeoutMs)).join(", then ")}`,
  );
  const handlers = grouped(builtIn, ({ handler }) => handler);
  const others = [...handlers].map(([handler, rows]) => `  ${handler}: ${rows.map(({ event }) => event).join(", ")}`);
  return [lines, others.length > 0 ? ["  built in", ...others] : []]
    .filter((part) => part.length > 0)
    .map((part) => part.join("\n"))
    .join("\n\n");
}

/** Who it is, and its limits where they are not those of everybody. */
export function subscriberText(row: SubscriptionDescription, timeoutMs: number): string {
  const said = [
    row.guard && "guard",
    row.input !== undefined && "input",
    row.callback === "errorFirst" && "error first",
    row.timeoutMs !== timeoutMs && (row.timeoutMs === Infinity ? "no time limit" : `${row.timeoutMs / 1_000} s`),
    row.concurrency !== Infinity && lane(row),
  ].filter((word) => word !== false);
  return `${row.handler}.${row.method}${said.length > 0 ? ` (${said.join(", ")})` : ""}`;
}

function lane({ concurrency, keyed, queueMax, overflow }: SubscriptionDescription): string {
  const waiting = queueMax === 0 ? "none waits" : `${queueMax} wait`;
  return `${concurrency} at once per ${keyed ? "key" : "socket"}, ${waiting}${overflow === "dropOldest" ? ", the oldest goes" : ""}`;
}

/** Rows by what they have in common. */
export function grouped<Row, Key>(rows: readonly Row[], keyOf: (row: Row) => Key): Map<Key, Row[]> {
  const groups = new Map<Key, Row[]>();
  for (const row of rows) groups.set(keyOf(row), [...(groups.get(keyOf(row)) ?? []), row]);
  return groups;
}
