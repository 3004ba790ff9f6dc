import type { CaughtUp } from "../../push/log-follower.js";
import type { LoggedEntry, Position, Rendition } from "../../push/topic-log.js";

/** A topic that a socket comes back to. */
export interface Returning {
  readonly topic: string;
  readonly variant: string | undefined;
  /** What it has of it; `undefined` if it is new, and missed nothing. */
  readonly from: Position | undefined;
}

/** A topic that a socket is in: it was sent what came after `since`, as its variant shows it. */
export interface Place {
  readonly since: number;
  readonly variant: string | undefined;
}

/** A push that is sent again: its number, and what of it is shown. */
export interface Frame {
  readonly n: number;
  readonly event: string;
  readonly args: readonly unknown[];
}

/** What a socket is sent that comes back to topics. */
export interface Replay {
  /** What it missed, in order, each once. */
  readonly frames: readonly Frame[];
  /** Topics of which not all can be sent. */
  readonly gaps: readonly string[];
}

/**
 * Works out what a socket is sent that comes back to topics. Pure.
 *
 * @param places the topics it is in already
 * @param has whether it is in a room, which a push may leave out
 */
export function replayOf(
  { position: [epoch, last], entries, gaps }: CaughtUp,
  returning: readonly Returning[],
  places: ReadonlyMap<string, Place>,
  has: (room: string) => boolean,
): Replay {
  const shown = entries.filter(({ except }) => !except.some(has));
  const missing = [...gaps];
  const due = new Map<number, { readonly entry: LoggedEntry; readonly variants: (string | undefined)[] }>();
  for (const { topic, variant, from } of returning) {
    if (from === undefined || gaps.includes(topic)) continue;
    if (from[0] !== epoch || from[1] > last) {
      missing.push(topic);
      continue;
    }
    const own = shown.filter((entry) => entry.n > from[1] && entry.topics.includes(topic) && shows(entry, [variant]));
    const [had, missed] = [own.filter((entry) => isHad(entry, places)), own.filter((entry) => !isHad(entry, places))];
    // One that came by another topic meanwhile can't be put behind those that did not.
    if (missed.some(({ n }) => n < (had.at(-1)?.n ?? 0))) missing.push(topic);
    else
      for (const entry of missed) {
        const known = due.get(entry.n);
        if (known) known.variants.push(variant);
        else due.set(entry.n, { entry, variants: [variant] });
      }
  }
  const frames = [...due.values()]
    .sort((one, other) => one.entry.n - other.entry.n)
    .map(({ entry, variants }): Frame => {
      const [, event, args] = shows(entry, variants) as Rendition; // it is due to one of them
      return { n: entry.n, event, args };
    });
  return { frames, gaps: missing };
}

function isHad(entry: LoggedEntry, places: ReadonlyMap<string, Place>): boolean {
  return entry.topics.some((topic) => {
    const place = places.get(topic);
    return place !== undefined && entry.n > place.since && shows(entry, [place.variant]) !== undefined;
  });
}

/** What members of these variants see of an entry: the first that is for one of them. */
function shows({ renditions }: LoggedEntry, variants: readonly (string | undefined)[]): Rendition | undefined {
  return renditions.find(([variant]) => variant === null || variants.includes(variant));
}
