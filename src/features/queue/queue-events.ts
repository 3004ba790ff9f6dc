import type { Server } from "socket.io";
import { builtIn } from "../../events/managed.js";
import type { EventContext } from "../../events/event-context.js";
import type { AppServer } from "../../events/subscriber.js";
import { Handler } from "../../handler.js";
import { invalidInput } from "../../wire/schema.js";
import type { Realtime } from "../realtime/index.js";
import { CANCEL_JOB, type Cancelled, JOB_STATUS, JOBS_ANEW, type JobUpdate } from "./protocol.js";

/** What clients may ask about their own jobs. */
export interface JobDesk<App extends AppServer> {
  /** What is told of a job of whoever asks. @throws EventError `NOT_FOUND` if there is none */
  ask(context: EventContext<App>, id: string, queue: string | undefined): Promise<JobUpdate>;
  /** Cancels a job of whoever asks. @throws EventError `NOT_FOUND` if there is none */
  cancel(context: EventContext<App>, id: string, queue: string | undefined): Promise<Cancelled>;
}

/** The events by which clients follow and cancel their jobs, for the clients of one namespace. */
export class QueueEvents<App extends AppServer = Server> extends Handler<App> {
  readonly name: string;
  override readonly namespace: string;
  readonly events: object;
  /** @internal */
  readonly [builtIn]: true = true;

  readonly #realtime: Realtime<App>;
  /** Sockets that have asked about a job. */
  readonly #asking = new WeakSet<object>();

  constructor(name: string, realtime: Realtime<App>, desk: JobDesk<App>) {
    super();
    this.name = name;
    this.namespace = realtime.namespace;
    this.#realtime = realtime;
    this.events = {
      [JOB_STATUS]: async (context: EventContext<App>, id: unknown, queue: unknown) => {
        this.#asking.add(context.socket);
        return desk.ask(context, text(id, 0), queue === undefined || queue === null ? undefined : text(queue, 1));
      },
      [CANCEL_JOB]: async (context: EventContext<App>, id: unknown, queue: unknown) =>
        desk.cancel(context, text(id, 0), queue === undefined || queue === null ? undefined : text(queue, 1)),
    };
  }

  /** @internal */
  protected override onSetup(): void {
    this.addCleanup(
      this.#realtime.onUserChanged((socket) => {
        // The event is this door's own, and need not be among those of the application's type.
        if (this.#asking.has(socket)) (socket as unknown as { emit(event: string): unknown }).emit(JOBS_ANEW);
      }),
    );
  }
}

/** What a client says is an id or the name of a queue. */
function text(value: unknown, argument: number): string {
  if (typeof value === "string" && value !== "" && value.length <= 256) return value;
  throw invalidInput([{ path: [argument], message: "expected a string of 1 to 256 characters" }]);
}
