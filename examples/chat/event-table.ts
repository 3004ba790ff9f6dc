import type { ManagerDescription } from "socket-ingress";

/** Who runs at which event, in that order: a line for each event, of the program's own first and of what it is built on last. */
export function eventTable({ events }: ManagerDescription, builtOn: readonly string[]): string {
  const runs = new Map<string, string[]>();
  const isOurs = ({ handler = "" }: { handler?: string | undefined }): boolean => !builtOn.includes(handler);
  for (const { event, handler, method } of events.filter(isOurs)) {
    runs.set(event, [...(runs.get(event) ?? []), `${handler}.${method}`]);
  }
  const width = Math.max(...[...runs.keys()].map((event) => event.length));
  return [...runs].map(([event, methods]) => `  ${event.padEnd(width)}  ${methods.join(", then ")}`).join("\n");
}
