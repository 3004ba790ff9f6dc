import { tracingChannel } from "node:diagnostics_channel";
import type { EventCount } from "./app.js";

/** As much as is looked at of what the package publishes about each event. */
interface Trace {
  event: string;
  namespace: string;
  socketId: string | undefined;
}

/** One event on its way, and what is not counted of it yet. */
interface Passage {
  readonly startedAt: number;
  key?: string | undefined;
  came: number;
  failed: number;
  lastMs: number;
}

/** Counts the events of this process, by the package's own tracing channel; nothing is counted while nobody has started it. */
export class Traffic {
  private readonly keyOf: (trace: Trace) => string | undefined;
  private readonly counts = new Map<string, EventCount>();
  private readonly changed = new Set<string>();
  private readonly passages = new WeakMap<object, Passage>();

  /** @param keyOf - under which name an event is counted, if that is known */
  constructor(keyOf: (trace: Trace) => string | undefined) {
    this.keyOf = keyOf;
  }

  get all(): EventCount[] {
    return [...this.counts.values()];
  }

  /** Begins. Returns what ends it. */
  start(): () => void {
    const channel = tracingChannel<unknown, Trace>("socket-ingress:dispatch");
    const ended = (trace: Trace): void => {
      this.note(trace, (passage) => (passage.lastMs = performance.now() - passage.startedAt));
      // Whose event a `connect` is shows when its socket has been let in.
      setImmediate(() => this.note(trace, () => undefined));
    };
    const subscribers = {
      start: (trace: Trace) => {
        this.passages.set(trace, { startedAt: performance.now(), came: 1, failed: 0, lastMs: 0 });
        this.note(trace, () => undefined);
      },
      error: (trace: Trace) => this.note(trace, (passage) => passage.failed++),
      end: ended,
      asyncStart: () => undefined,
      asyncEnd: ended,
    };
    channel.subscribe(subscribers);
    return () => channel.unsubscribe(subscribers);
  }

  /** Those that have changed since it was asked last. */
  takeChanged(): EventCount[] {
    const taken = [...this.changed].flatMap((key) => this.counts.get(key) ?? []);
    this.changed.clear();
    return taken;
  }

  private note(trace: Trace, change: (passage: Passage) => unknown): void {
    const passage = this.passages.get(trace);
    if (passage === undefined) return;
    change(passage);
    const key = (passage.key ??= this.keyOf(trace));
    if (key === undefined) return;
    const { came, failed } = this.counts.get(key) ?? { came: 0, failed: 0 };
    this.counts.set(key, { key, came: came + passage.came, failed: failed + passage.failed, lastMs: passage.lastMs });
    passage.came = passage.failed = 0;
    this.changed.add(key);
  }
}
