import type { Acknowledge } from "./reply.js";
import { BeforeEvents } from "./before-events.js";
import { type Counters, freshCounters } from "./counters.js";
import type { ErrorSubscribers } from "./error-subscribers.js";
import { Signals } from "./flow/signals.js";
import { type Dispatch, Traffic } from "./flow/traffic.js";
import { UnderWay } from "./flow/under-way.js";
import { Requests } from "./requests.js";
import type { Parser } from "../wire/sendable.js";
import type { Logger } from "../lifecycle/logger.js";

/** What an {@link IngressState} is made of. */
export interface IngressStateOptions {
  readonly log: Logger;
  readonly errors: ErrorSubscribers;
  readonly replyFirst: boolean;
  readonly maxInFlight: number;
  readonly maxPending: number;
  /** How long those asked before an event may take together, in milliseconds. */
  readonly askMs: number;
  readonly dispatch: Dispatch;
}

/** What all events of one ingress share. */
export class IngressState {
  readonly log: Logger;
  /** Who hears of errors. */
  readonly errors: ErrorSubscribers;
  readonly replyFirst: boolean;
  readonly counters: Counters = freshCounters();
  /** What aborts when a client or the server goes. */
  readonly signals: Signals = new Signals();
  /** Who is asked once for each event that a client sends. */
  readonly before: BeforeEvents = new BeforeEvents();
  /** The parser of the server, if that is the application's own. */
  parser: Parser | undefined = undefined;
  /** What has to wait, and what is refused. */
  readonly traffic: Traffic;
  /** What runs. */
  readonly underWay: UnderWay;
  /** The request ids of events that may be sent again. */
  readonly requests: Requests = new Requests();
  /** The acknowledgements of events that the application itself listens to, too. */
  readonly sharedAcks: WeakSet<Acknowledge> = new WeakSet();

  constructor({ log, errors, replyFirst, maxInFlight, maxPending, askMs, dispatch }: IngressStateOptions) {
    this.log = log;
    this.errors = errors;
    this.replyFirst = replyFirst;
    this.traffic = new Traffic({
      maxInFlight,
      maxPending,
      askMs,
      dispatch,
      log,
      counters: this.counters,
      before: this.before,
    });
    this.underWay = new UnderWay(this.traffic, this.signals);
  }
}
