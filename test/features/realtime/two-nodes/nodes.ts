import type { Realtime } from "socket-ingress/realtime";
import type * as api from "socket-ingress/realtime";
import type { As, Client } from "../door.js";

/** What a test says to run on a node. It may be sent to another process as text, so it uses nothing but its parameters. */
export type Job<Args extends unknown[], Result> = (realtime: Realtime, door: typeof api, ...args: Args) => Result;

/** Two servers joined by an adapter, with a realtime door each. Memberships and waiting rooms are shared. */
export interface Nodes extends AsyncDisposable {
  /** A client connected to one of them. */
  enter(node: 0 | 1, as?: As): Promise<Client>;
  /** Runs something where a node is. What it returns is sent as JSON where nodes are processes. */
  run<Args extends unknown[], Result>(node: 0 | 1, job: Job<Args, Result>, ...args: Args): Promise<Awaited<Result>>;
  /** Shuts a node down in order. */
  stop(node: 0 | 1): Promise<void>;
  /** Ends a node as a crash would; only where it is a process of its own. */
  readonly kill?: (node: 0 | 1) => Promise<void>;
}

/** How presence is kept in these tests: nobody wants to wait for the defaults, and a node that is late for a second is not dead. */
export const presence = { graceMs: 200, heartbeatMs: 1_000 };

/** What every node does before it boots. */
export function prepare(realtime: Realtime): void {
  realtime.topics.define("t:{id}", { public: true });
  realtime.topics.define("p:{id}", { public: true, presence: true });
}
