import type { Socket } from "socket.io-client";
import type { Client } from "socket-ingress/client";
import { type List, type ListState, openList } from "socket-ingress/changes/client";
import { expect, vi } from "vitest";

/** A record whose version says how new it is. */
export interface Versioned {
  id: number;
  version: number;
}

/** What a storm goes through. */
export interface StormGround {
  /** Tells of what happened to a record, as a server does right behind the write. */
  created(row: Versioned): void;
  updated(row: Versioned, old: Versioned): void;
  deleted(old: Versioned): void;
  /** A client that comes back by itself when it is cut off. */
  enter(): Promise<{ readonly socket: Socket; readonly client: Client }>;
}

/** What came of it, to be looked at where something was. */
export interface StormReport {
  loads: number;
  cuts: number;
}

const CHANGES = 500;
const CHANGES_MS = 2_500;
const CUTS = 8;

/**
 * 500 changes in 2.5 s, 8 cuts, slow loads: at the end the list is the table, and on the way no row was older than it had been shown, and
 * none that had gone came back.
 */
export async function storm(ground: StormGround, seed: number): Promise<StormReport> {
  const random = randomFrom(seed);
  const table = new Map<number, Versioned>();
  let lastId = 0;
  let version = 0;
  const write = (): void => {
    const ids = [...table.keys()];
    const what = ids.length < 3 ? 0 : random();
    const id = ids[Math.floor(random() * ids.length)] ?? 0;
    const old = table.get(id);
    const row = { id, version: ++version };
    if (what < 0.15 || old === undefined) {
      row.id = ++lastId;
      table.set(row.id, row);
      ground.created(row);
    } else if (what < 0.25) {
      table.delete(id);
      ground.deleted(old);
    } else {
      table.set(id, row);
      ground.updated(row, old);
    }
  };
  for (let i = 0; i < 20; i++) write();

  const { socket, client } = await ground.enter();
  const report = { loads: 0, cuts: 0 };
  const wrong: string[] = [];
  const lists: List<Versioned>[] = [];
  const open = (): void => {
    const list = openList<Versioned>(client, {
      topic: "post",
      sort: (one, other) => one.id - other.id,
      // As a database does: what was read may be old when it arrives, and may hold more than has been heard.
      async load() {
        report.loads++;
        if (random() < 0.5) await pause(random() * 60);
        const rows = [...table.values()];
        if (random() < 0.5) await pause(random() * 150);
        return rows;
      },
    });
    lists.push(list);
    list.subscribe(onlyForward(wrong));
  };
  open();

  const begun = Date.now();
  const cutsAt = new Set(Array.from({ length: CUTS }, () => Math.floor(random() * CHANGES)));
  for (let i = 0; i < CHANGES; i++) {
    write();
    // A page that opens and closes lists loads often.
    if (i % 25 === 0) {
      if (lists.length > 1) lists.pop()?.close();
      open();
    }
    // socket.io-client never comes back if its engine is closed while it opens.
    if (cutsAt.has(i) && socket.connected) {
      report.cuts++;
      socket.io.engine.close();
    }
    const ahead = (CHANGES_MS * i) / CHANGES - (Date.now() - begun);
    if (ahead > 0) await pause(ahead);
  }
  await vi.waitFor(
    () => {
      const rows = [...table.values()].toSorted((one, other) => one.id - other.id);
      for (const list of lists) expect(list.getSnapshot()).toEqual({ rows, status: "live" });
    },
    { interval: 20 },
  );
  for (const list of lists) list.close();
  expect(wrong).toEqual([]);
  expect(report.cuts).toBeGreaterThan(0);
  return report;
}

/** Looks at every state of a list, and writes down what has gone back. */
function onlyForward(wrong: string[]): (state: ListState<Versioned>) => void {
  const newest = new Map<number, number>();
  const gone = new Set<number>();
  let before = new Set<number>();
  return ({ rows }) => {
    const now = new Set(rows.map(({ id }) => id));
    for (const { id, version } of rows) {
      if (gone.has(id)) wrong.push(`${id} came back`);
      if (version < (newest.get(id) ?? 0)) wrong.push(`${id} went from ${newest.get(id)} to ${version}`);
      newest.set(id, version);
    }
    for (const id of before) if (!now.has(id)) gone.add(id);
    before = now;
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** The same numbers from the same seed, so that a storm that went wrong can be had again, as far as the network lets it. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
