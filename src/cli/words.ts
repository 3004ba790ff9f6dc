import { relative } from "node:path";
import type { SubscriptionDescription } from "../dispatch/subscriptions.js";
import type { InputDescription } from "../events/input-description.js";
import type { Place } from "../lifecycle/observer.js";

/** Milliseconds as they are said: `30 s`, `250 ms`, `7 days`. */
export function duration(ms: number): string {
  if (ms === Infinity) return "no limit";
  const units = [
    [86_400_000, "days"],
    [3_600_000, "h"],
    [60_000, "min"],
    [1_000, "s"],
  ] as const;
  const unit = units.find(([length, name]) => ms >= length * (name === "days" ? 2 : 1) && ms % length === 0);
  return unit === undefined ? `${ms} ms` : `${ms / unit[0]} ${unit[1]}`;
}

/** A count with its thousands told apart. */
export function count(n: number): string {
  return n === Infinity ? "any number" : n.toLocaleString("en-US");
}

/** A list in words: `a, b and c`. */
export function listOf(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

/** What a schema asks for: `zod { room, text, to? }`. */
export function inputOf(input: readonly InputDescription[] | InputDescription | undefined): string {
  if (input === undefined) return "";
  return (Array.isArray(input) ? (input as readonly InputDescription[]) : [input as InputDescription])
    .map(({ vendor, type, required, optional = [] }) => {
      if (required === undefined) return `${vendor} ${type ?? "(unknown)"}`;
      const fields = [...required, ...optional.map((name) => `${name}?`)];
      return `${vendor} ${fields.length === 0 ? "{}" : `{ ${fields.join(", ")} }`}`;
    })
    .join(", ");
}

/** Who runs: `rooms.post`. */
export function nameOf({
  handler,
  method,
}: {
  readonly handler?: string | undefined;
  readonly method?: string | undefined;
}): string {
  return [handler, method ?? "(anonymous)"].filter((word) => word !== undefined).join(".");
}

/** `2 at once per socket, 5 wait, the oldest goes`. */
export function laneOf({ concurrency, keyed, queueMax, overflow }: SubscriptionDescription): string {
  const waiting = queueMax === 0 ? "none waits" : `${count(queueMax)} wait`;
  return `${count(concurrency)} at once per ${keyed ? "key" : "socket"}, ${waiting}${overflow === "dropOldest" ? ", the oldest goes" : ""}`;
}

/** Where something is written, as an editor opens it. */
export function placeIn(cwd: string, place: Place | undefined): string {
  return place === undefined ? "" : `${relative(cwd, place.file)}:${place.line}`;
}
