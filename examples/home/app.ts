import type { Server } from "socket.io";

/** An example that this server runs. */
export interface Program {
  /** Its folder, and the path of its page. */
  name: string;
  title: string;
  about: string;
}

/** Who listens to one event of one program. */
export interface EventRow {
  /** What `counts` calls it. */
  key: string;
  program: string;
  namespace: string;
  event: string;
  /** In the order in which they run, each with its limits. */
  subscribers: string[];
  /** Whether it is an event of the package's own doors. */
  builtIn: boolean;
}

/** What has become of an event since the server was started. */
export interface EventCount {
  key: string;
  /** How often it came. */
  came: number;
  /** How often a subscriber failed, what a client is to blame for included. */
  failed: number;
  /** How long the last one took, in milliseconds. */
  lastMs: number;
}

/** What a page is told as it joins the topic `events`. */
export interface Overview {
  programs: Program[];
  rows: EventRow[];
  counts: EventCount[];
}

export interface ServerToClient {
  /** Those that have changed. */
  counts(counts: EventCount[]): void;
}

/** The page asks for nothing: it joins a topic. */
export type App = Server<Record<string, never>, ServerToClient>;
