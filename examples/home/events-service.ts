import type { ServiceManager } from "socket-ingress";
import { type Realtime, RealtimeService } from "socket-ingress/realtime";
import { grouped, subscriberText } from "../page/event-table.js";
import type { App, EventRow, Program } from "./app.js";
import { Traffic } from "./traffic.js";

/** A program, and the manager that runs it. */
export interface Running extends Program {
  manager: ServiceManager<any>;
}

/** Often enough to look alive. */
const TOLD_EVERY_MS = 300;

/** Tells the page who listens to what in which program, and what comes in. */
export class EventsService extends RealtimeService<App> {
  readonly name = "events";
  private readonly traffic: Traffic;

  constructor(realtime: Realtime<App>, running: readonly Running[]) {
    super();
    this.traffic = new Traffic(({ socketId, namespace, event }) => {
      const its = ({ manager }: Running): boolean =>
        socketId !== undefined && manager.io?.of(namespace).sockets.has(socketId) === true;
      const program = running.find(its)?.name;
      return program && keyOf(program, namespace, event);
    });
    realtime.topics.define("events", {
      public: true,
      snapshot: () => ({
        programs: running.map(({ name, title, about }) => ({ name, title, about })),
        rows: running.flatMap(rowsOf),
        counts: this.traffic.all,
      }),
    });
  }

  override onStart(): void {
    this.addCleanup(this.traffic.start());
    this.interval(() => {
      const changed = this.traffic.takeChanged();
      if (changed.length > 0) void this.emitSocket("counts", changed, { topic: "events" });
    }, TOLD_EVERY_MS);
  }
}

function rowsOf({ name: program, manager }: Running): EventRow[] {
  const { events, builtIn } = manager.describe();
  const { timeoutMs } = manager.ingress;
  return [...grouped([...events, ...builtIn], ({ namespace, event }) => keyOf(program, namespace, event))].flatMap(
    ([key, rows]) =>
      rows.slice(0, 1).map(({ namespace, event, builtIn: isBuiltIn }) => ({
        key,
        program,
        namespace,
        event,
        subscribers: rows.map((row) => subscriberText(row, timeoutMs)),
        builtIn: isBuiltIn,
      })),
  );
}

function keyOf(program: string, namespace: string, event: string): string {
  return JSON.stringify([program, namespace, event]);
}
