import type { Socket } from "socket.io";
import type { Acknowledge, Context } from "./context.js";
import type { Channel } from "./event-entry.js";
import { dispatch, type Run } from "./dispatch.js";
import type { ErrorSubscribers } from "./error-subscribers.js";
import { refusals } from "./failures.js";
import { type CutEvent, cutAll, Fifo, Flow, type Waiting } from "./flow/in-flight.js";
import { FrameGuard } from "../socket-io/frame-guard.js";
import type { Logger } from "../lifecycle/logger.js";
import { shortName, writeLog } from "../lifecycle/log.js";
import { Signals } from "./flow/signals.js";
import { TimeLimits } from "./flow/time-limits.js";
import { isTraced } from "./tracing.js";
import { EventError } from "../wire/event-error.js";

/** What the ingress counts since it was made: what would otherwise go unseen. */
export interface IngressCounters {
  /** Answers by hand to a caller that had been answered already. */
  readonly secondReplies: number;
  /** Answers by hand from a subscriber that had been given up at its timeout. */
  readonly lateReplies: number;
  /** Results of subscribers that had been given up at their timeout. */
  readonly lateResults: number;
  /** Events answered, or dropped when nobody waited for an answer, because too many were waiting. */
  readonly overloaded: number;
  /** Events answered `UNKNOWN_EVENT`. */
  readonly unknownEvents: number;
  /** Events answered, or dropped, because the ingress was shutting down. */
  readonly refusedByShutdown: number;
}

/** What a {@link Hub} is made of. */
export interface HubOptions {
  readonly log: Logger;
  readonly errors: ErrorSubscribers;
  readonly replyFirst: boolean;
  readonly maxInFlight: number;
  readonly maxPending: number;
}

/** A few runs that are over, for the next events that take time. */
class SpareRuns {
  readonly #runs: Run[] = [];

  pop(): Run | undefined {
    return this.#runs.pop();
  }

  put(run: Run): void {
    if (this.#runs.length < 256) this.#runs.push(run);
  }
}

/** The events of a socket that wait until its `connection` subscribers are done. */
class Hold {
  readonly queue = new Fifo<Waiting>();
}

/**
 * What all events of one ingress share: who hears of errors, what is under way on which transport, and whether an event has to
 * wait. The dispatcher asks for the latter only while `attention` is not zero.
 */
export class Hub {
  readonly log: Logger;
  readonly replyFirst: boolean;
  /** How many reasons there are at the moment for looking closer at an event before it runs. */
  attention = 0;
  readonly counters: { -readonly [K in keyof IngressCounters]: IngressCounters[K] } = {
    secondReplies: 0,
    lateReplies: 0,
    lateResults: 0,
    overloaded: 0,
    unknownEvents: 0,
    refusedByShutdown: 0,
  };
  readonly signals: Signals = new Signals();
  /** How long what is under way may still take. */
  readonly limits: TimeLimits = new TimeLimits();
  /** Runs that wait for their next use. */
  readonly spareRuns: SpareRuns = new SpareRuns();
  readonly frames: FrameGuard = new FrameGuard();
  readonly #errors: ErrorSubscribers;
  readonly #maxInFlight: number;
  readonly #maxPending: number;
  readonly #flows = new WeakMap<object, Flow>();
  /** For what is dispatched by hand, without a socket. */
  readonly #loose: Flow;
  /** Those on which events may be waiting. */
  readonly #saturated = new Set<Flow>();
  #underWay = 0;
  readonly #held = new Map<Socket, Hold>();
  readonly #shared = new WeakSet<Acknowledge>();
  #draining = false;
  #idle: (() => void)[] = [];
  #lastOverloadLogMs = -Infinity;

  constructor(options: HubOptions) {
    this.log = options.log;
    this.#errors = options.errors;
    this.replyFirst = options.replyFirst;
    this.#maxInFlight = options.maxInFlight;
    this.#maxPending = options.maxPending;
    this.#loose = new Flow(Infinity, () => undefined);
  }

  /** The application itself listens to the event that this acknowledgement came with. */
  share(ack: Acknowledge): void {
    this.#shared.add(ack);
  }

  isShared(ack: Acknowledge): boolean {
    return this.#shared.has(ack);
  }

  /** Whether somebody listens to the tracing channel. */
  get traced(): boolean {
    return isTraced();
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** How many events or connections have something under way or waiting. */
  get idle(): boolean {
    return this.#underWay === 0 && this.#saturated.size === 0 && this.#held.size === 0;
  }

  count(what: keyof IngressCounters): void {
    this.counters[what]++;
  }

  // --- errors -------------------------------------------------------------------------------------------------------------

  /** Tell the error subscribers of what a subscriber threw. */
  tell(thrown: unknown, code: string, context: Context): void {
    const { subscription, socket } = context;
    this.#errors.tell(thrown, {
      event: context.event,
      namespace: context.namespace,
      code,
      handler: subscription?.handler,
      method: subscription?.method,
      socketId: socket?.id,
      socket,
      args: [...context.args],
    });
  }

  /** A caller was answered a second time by hand: a mistake of the subscriber, harmless to the caller. */
  secondReply(context: Context): void {
    this.count("secondReplies");
    const { event, namespace, subscription, socket } = context;
    writeLog(
      this.log,
      "warn",
      {
        event: shortName(event),
        namespace,
        handler: subscription?.handler,
        method: subscription?.method,
        socketId: socket?.id,
      },
      "a second reply to the same event was dropped",
    );
  }

  // --- what has to wait ---------------------------------------------------------------------------------------------------

  /** Whether the event may run now. If not it is kept, or answered, here. */
  admit(channel: Channel, context: Context): boolean {
    const { socket } = context;
    if (this.#draining) {
      this.count("refusedByShutdown");
      context.refuse(refusals.shuttingDown);
      return false;
    }
    const hold = this.#held.get(socket);
    const flow = socket === undefined ? undefined : this.#flows.get(socket.conn);
    if (hold === undefined && flow?.saturated !== true) return true;
    const kept = this.flowOf(socket);
    if (kept.pending >= this.#maxPending) {
      this.#overloaded(context);
      return false;
    }
    const event = this.#waiting(channel, context);
    if (hold === undefined) kept.wait(event);
    else hold.queue.push(event);
    return false;
  }

  /** Run what a socket tells of its own life, such as `disconnect`, behind all its events that wait. */
  after(channel: Channel, context: Context): void {
    const hold = this.#held.get(context.socket);
    const flow = this.#flows.get(context.socket.conn);
    if (hold !== undefined) hold.queue.push(this.#waiting(channel, context));
    else if (flow !== undefined && flow.waiting > 0) flow.wait(this.#waiting(channel, context));
    else dispatch(this, channel, context);
  }

  #waiting(channel: Channel, context: Context): Waiting {
    return {
      start: () => dispatch(this, channel.current(), context),
      cut: () => {
        // A disconnect is ours to tell, and what cleans up; nobody waits for an answer to it.
        if (context.event === "disconnect") {
          dispatch(this, channel.current(), context);
          return undefined;
        }
        context.refuse(refusals.shuttingDown);
        context.finish();
        return context.lost();
      },
    };
  }

  /** Keep the events of a socket until {@link Hub.release}. */
  hold(socket: Socket): void {
    if (this.#held.has(socket)) return;
    const hold = new Hold();
    this.#held.set(socket, hold);
    this.flowOf(socket).kept.add(hold.queue);
    this.attention++;
  }

  /** Let the events of a socket run that were kept, in order, and those that come from now on. */
  release(socket: Socket): void {
    const hold = this.#held.get(socket);
    if (hold === undefined) return;
    const flow = this.flowOf(socket);
    // Still held meanwhile: what arrives during this loop belongs behind what arrived before.
    for (let next = hold.queue.shift(); next !== undefined; next = hold.queue.shift()) {
      if (flow.saturated) flow.wait(next);
      else next.start();
    }
    this.#held.delete(socket);
    flow.kept.delete(hold.queue);
    this.attention--;
    this.#checkIdle();
  }

  /** Forget the events of a socket that were kept: it was not admitted after all. */
  drop(socket: Socket): void {
    const hold = this.#held.get(socket);
    if (hold !== undefined) {
      this.#held.delete(socket);
      this.flowOf(socket).kept.delete(hold.queue);
      this.attention--;
    }
    this.#checkIdle();
  }

  #overloaded(context: Context): void {
    this.count("overloaded");
    context.refuse(refusals.overloaded);
    // A flood must not become a flood of log lines.
    const now = performance.now();
    if (now - this.#lastOverloadLogMs < 1_000) return;
    this.#lastOverloadLogMs = now;
    const { event, namespace, socket } = context;
    writeLog(
      this.log,
      "warn",
      { event: shortName(event), namespace, socketId: socket?.id, overloaded: this.counters.overloaded },
      "a connection sends more events than may wait; at most one such line a second",
    );
  }

  // --- what is under way --------------------------------------------------------------------------------------------------

  /** What the transport of a socket has under way. */
  flowOf(socket: Socket | undefined): Flow {
    const conn = socket?.conn;
    if (conn === undefined) return this.#loose;
    let flow = this.#flows.get(conn);
    if (flow === undefined) {
      const made = new Flow(this.#maxInFlight, (saturated) => {
        this.attention += saturated ? 1 : -1;
        if (saturated) this.#saturated.add(made);
        else this.#saturated.delete(made);
      });
      flow = made;
      this.#flows.set(conn, flow);
    }
    return flow;
  }

  /** A run is under way. */
  began(): void {
    this.#underWay++;
  }

  /** A run is over. */
  ended(): void {
    if (--this.#underWay === 0) this.#checkIdle();
  }

  /** From now on new events are answered `SHUTTING_DOWN`, until {@link Hub.open}. */
  close(): void {
    if (this.#draining) return;
    this.#draining = true;
    this.attention++;
  }

  open(): void {
    if (!this.#draining) return;
    this.#draining = false;
    this.attention--;
  }

  /** Resolves once nothing is under way and nothing waits. */
  whenIdle(): Promise<void> {
    return new Promise((resolve) => {
      this.#idle.push(resolve);
      this.#checkIdle();
    });
  }

  /** Give up what is under way and what waits: callers are answered `SHUTTING_DOWN`, signals abort. */
  cut(): CutEvent[] {
    const cut: CutEvent[] = [];
    for (const [socket, hold] of this.#held) {
      cut.push(...cutAll(hold.queue));
      this.flowOf(socket).kept.delete(hold.queue);
    }
    this.attention -= this.#held.size;
    this.#held.clear();
    for (const flow of [...this.#saturated]) cut.push(...flow.cut());
    for (const limited of [...this.limits]) {
      const run = limited as Run; // nothing else is put there
      if (run.context !== undefined) cut.push(run.context.lost());
      run.cut();
    }
    this.signals.abortAll(new EventError("SHUTTING_DOWN", "this server is shutting down"));
    this.#checkIdle();
    return cut;
  }

  #checkIdle(): void {
    if (this.#idle.length === 0 || !this.idle) return;
    this.limits.rest();
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Answer an event that nobody handles. */
  unknown(event: string, socket: Socket, ack: Acknowledge): void {
    this.count("unknownEvents");
    ack(this.#draining ? refusals.shuttingDown : refusals.unknownEvent);
    writeLog(
      this.log,
      "debug",
      { event: shortName(event), namespace: socket.nsp.name, socketId: socket.id },
      "an event that nobody handles was answered",
    );
  }
}
