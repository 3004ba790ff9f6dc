import type { Awareness } from "y-protocols/awareness";
import type { CursorState } from "../protocol.js";

/** The awareness states of all but this client, as the server tells of them: each is as new as its frame. */
export interface EverybodyElse {
  /** Somebody points somewhere else, or (`null`) nowhere. */
  set(clientId: number, state: CursorState | null): void;
  /** These are all. */
  replace(cursors?: readonly (readonly [clientId: number, state: CursorState])[]): void;
}

/** Keeps the states of others; `origin` is what its events say they come from. */
export function createEverybodyElse(awareness: Awareness, origin: unknown): EverybodyElse {
  const { states, meta } = awareness;
  const set: EverybodyElse["set"] = (clientId, state) => {
    const had = states.has(clientId);
    if (clientId === awareness.clientID || !(state ?? had)) return;
    if (state) states.set(clientId, state);
    else states.delete(clientId);
    // Who is there is the server's to say, and not the clock's: never out of date by itself.
    meta.set(clientId, { clock: (meta.get(clientId)?.clock ?? 0) + 1, lastUpdated: Infinity });
    const change = { added: [] as number[], updated: [] as number[], removed: [] as number[] };
    change[state ? (had ? "updated" : "added") : "removed"].push(clientId);
    awareness.emit("change", [change, origin]);
    awareness.emit("update", [change, origin]);
  };
  return {
    set,
    replace(cursors = []) {
      const there = new Map(cursors);
      for (const clientId of [...states.keys()]) if (!there.has(clientId)) set(clientId, null);
      for (const [clientId, state] of there) set(clientId, state);
    },
  };
}
