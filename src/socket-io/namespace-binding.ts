import { isUnsendable } from "../wire/event-names.js";
import type { EventEmitter } from "node:events";
import type { Namespace, Socket } from "socket.io";
import type { Admission } from "./admission.js";
import { Context, oneArgument } from "../dispatch/context.js";
import type { Acknowledge } from "../dispatch/reply.js";
import { clientGone } from "../dispatch/failures.js";
import { toFailure } from "../wire/to-failure.js";
import { EventEntry } from "../dispatch/event-entry.js";
import { dispatch } from "../dispatch/dispatch.js";
import type { Connection } from "./engines.js";
import type { FrameGuard } from "./frame-guard.js";
import { hasForeignListener, markOwn } from "./own-listeners.js";
import type { IngressState } from "../dispatch/ingress-state.js";
import { attach, type LeftBehind, type OpenEvent, OpenEvents } from "./open-events.js";
import type { Subscription } from "../dispatch/subscription.js";
import { answerUnknown, type UnknownEvents } from "./unknown-events.js";
import { REQUEST } from "../wire/requests.js";

/** The subscribers of one event in one namespace, in order. */
export type PlanOf = (event: string, namespace: string) => readonly Subscription[];

/** What a {@link NamespaceBinding} needs beside its namespace. */
export interface NamespaceBindingOptions {
  readonly state: IngressState;
  readonly planOf: PlanOf;
  readonly frames: FrameGuard;
  readonly createAdmission: (entry: EventEntry) => Admission;
  /** Answers what nobody handles. */
  readonly unknown: UnknownEvents;
  /** Whether sockets carry all dispatchers from the start. */
  readonly eager: boolean;
}

/**
 * One namespace of a server, as the ingress serves it.
 *
 * A socket gets one observing catch-all when it connects, whatever the number of events, and the dispatcher of an event when it
 * sends that event for the first time: catch-alls run before the middleware and the listeners (`Socket.onevent` in
 * socket.io/lib/socket.ts), so the dispatcher is in place in time, runs after the middleware, and an idle socket costs nothing
 * (decision 0001).
 */
export class NamespaceBinding {
  readonly namespace: Namespace;
  readonly #state: IngressState;
  readonly #planOf: PlanOf;
  readonly #frames: FrameGuard;
  readonly #unknown: UnknownEvents;
  readonly #admission: Admission;
  readonly #entries: OpenEvents;
  readonly #connect: EventEntry;
  readonly #connection: EventEntry;
  readonly #disconnecting: EventEntry;
  readonly #disconnect: EventEntry;
  readonly #reserved: ReadonlyMap<string, EventEntry>;

  constructor(namespace: Namespace, options: NamespaceBindingOptions) {
    this.namespace = namespace;
    this.#state = options.state;
    this.#planOf = options.planOf;
    this.#frames = options.frames;
    this.#unknown = options.unknown;
    const leftBehind: LeftBehind = (socket, event, coming) => options.unknown.takeOver(socket, event, coming);
    this.#entries = new OpenEvents(namespace, { state: options.state, eager: options.eager, leftBehind });
    this.#connect = new EventEntry(this.#state, "connect", []);
    this.#connection = new EventEntry(this.#state, "connection", []);
    this.#disconnecting = new EventEntry(this.#state, "disconnecting", []);
    this.#disconnect = new EventEntry(this.#state, "disconnect", []);
    const reserved = [this.#connect, this.#connection, this.#disconnecting, this.#disconnect];
    this.#reserved = new Map(reserved.map((entry) => [entry.event, entry]));
    this.#admission = options.createAdmission(this.#connect);
  }

  /** Serve the namespace: the sockets it has, and those to come. */
  bind(): void {
    this.namespace.on("connection", this.#onConnection);
    for (const socket of this.namespace.sockets.values()) this.#serve(socket);
  }

  /** Leave the namespace as it was: no listener of ours stays on it or on a socket. */
  unbind(): void {
    this.namespace.off("connection", this.#onConnection);
    for (const socket of this.namespace.sockets.values()) this.#leave(socket);
    this.#entries.clear();
    for (const entry of this.#reserved.values()) entry.plan = [];
  }

  /** Whether events have been observed whose dispatcher has not been called yet. */
  get arriving(): boolean {
    return this.#entries.arriving;
  }

  /** The entry of an event, if anybody listens to it. */
  entry(event: string): OpenEvent | undefined {
    return this.#entries.get(event);
  }

  /** The subscribers of `event` changed. */
  update(event: string): void {
    const plan = this.#planOf(event, this.namespace.name);
    const reserved = this.#reserved.get(event);
    if (reserved !== undefined) return this.#updateReserved(reserved, plan);
    this.#entries.update(event, plan);
  }

  /** The middleware of the namespace: asks the `connect` subscribers. */
  admit(socket: Socket, next: (error?: Error) => void): void {
    this.#frames.meet(socket.conn as unknown as Connection); // as the emitter it is
    this.#admission.admit(socket, next);
  }

  /** A signal waits for this socket to disconnect. */
  watch(socket: Socket): void {
    attach(socket, "disconnect", this.#onDisconnect);
  }

  #updateReserved(entry: EventEntry, plan: readonly Subscription[]): void {
    entry.plan = plan;
    for (const socket of this.namespace.sockets.values()) this.#attachReserved(socket);
  }

  #serve(socket: Socket): void {
    this.#frames.meet(socket.conn as unknown as Connection); // as the emitter it is
    socket.onAny(this.#observe);
    this.#entries.serve(socket);
    if (this.#disconnecting.plan.length > 0) attach(socket, "disconnecting", this.#onDisconnecting);
    if (this.#watchesDisconnect(socket)) attach(socket, "disconnect", this.#onDisconnect);
  }

  #attachReserved(socket: Socket): void {
    if (this.#disconnecting.plan.length > 0) attach(socket, "disconnecting", this.#onDisconnecting);
    else socket.off("disconnecting", this.#onDisconnecting);
    if (this.#watchesDisconnect(socket)) attach(socket, "disconnect", this.#onDisconnect);
    else socket.off("disconnect", this.#onDisconnect);
  }

  #watchesDisconnect(socket: Socket): boolean {
    return this.#disconnect.plan.length > 0 || this.#state.signals.has(socket);
  }

  #leave(socket: Socket): void {
    socket.offAny(this.#observe);
    socket.off("disconnecting", this.#onDisconnecting);
    socket.off("disconnect", this.#onDisconnect);
    socket.off("disconnect", this.#onRefused);
    this.#entries.leave(socket);
    this.#unknown.forget(socket);
  }

  readonly #onConnection = (socket: Socket): void => {
    // A listener of the application's own may have closed it already.
    if (!socket.connected) return;
    if (!this.#admission.isAlone(socket)) {
      socket.conn.close(true);
      return;
    }
    this.#serve(socket);
    this.#state.signals.admitted(socket);
    // Socket.IO lets a recovered connection past the middleware (`Namespace._add`), so it is asked here, before anything runs.
    if (!socket.recovered || !this.#admission.wanted || this.#admission.wasAsked(socket))
      return this.#tellConnection(socket);
    this.#state.traffic.hold(socket);
    this.#admission.ask(socket, (failure) => {
      if (failure === undefined) return this.#tellConnection(socket);
      // Nothing of it ran, so nothing is told of its end.
      this.#leave(socket);
      this.#state.traffic.dropPending(socket, failure);
      this.#state.traffic.drop(socket);
      socket.disconnect();
    });
  };

  #tellConnection(socket: Socket): void {
    // Nobody to tell: most applications have no such subscriber, and connections come in crowds.
    if (this.#connection.plan.length === 0) return this.#state.traffic.release(socket);
    let told = false;
    const context = Context.of(this.#connection, socket, () => {
      told = true;
      socket.off("disconnect", this.#onRefused);
      this.#state.traffic.release(socket);
    });
    dispatch(this.#connection, context);
    // Its events wait only if its `connection` subscribers take time; none can have arrived in between.
    if (told) return;
    this.#state.traffic.hold(socket);
    attach(socket, "disconnect", this.#onRefused);
  }

  /** A client said how it calls its next event. */
  announce(socket: Socket, requestId: unknown, event: unknown): void {
    this.#state.requests.announce(socket, requestId, event);
  }

  /** Called for every event of every socket, before anything else of the application runs; `last` is its last argument. */
  observe(socket: Socket, event: unknown, last: unknown): void {
    this.#state.requests.pair(socket, event, last);
    const entry = this.#entries.get(event);
    if (entry !== undefined) {
      const target = emitter(socket);
      entry.arrivals.expect(socket, typeof last === "function" ? (last as Acknowledge) : undefined);
      const listeners = target.listenerCount(entry.event);
      const ours = listeners === 0 ? 0 : target.listenerCount(entry.event, entry.dispatcher);
      // Told now: by the end of the event a `once` of the application has gone.
      if (listeners > ours && typeof last === "function" && hasForeignListener(target, entry.event)) {
        this.#state.sharedAcks.add(last as Acknowledge);
      }
      if (ours === 0) target.on(entry.event, entry.dispatcher);
    } else if (isUnsendable(event) || !isKey(event)) socket.disconnect(true);
    else if (typeof event === "function") answerUnknown(this.#state, "", socket, event as Acknowledge);
    else if (typeof last === "function") this.#unknown.expect(socket, event as string, last as Acknowledge);
    else if (this.#state.before.any) this.#unknown.expect(socket, event as string, undefined);
  }

  readonly #observe = observer(this);

  readonly #onDisconnecting = listener((socket, reason) => {
    if (this.#disconnecting.plan.length === 0) return;
    // The rooms are complete only now, so it does not wait for anything.
    const context = new Context(this.#disconnecting, socket, reason, oneArgument, undefined);
    dispatch(this.#disconnecting, context);
  });

  /** A socket goes while its `connection` subscribers run; if it was the server that closed it, what it has sent meanwhile never runs. */
  readonly #onRefused = listener((socket, reason) => {
    if (closedHere.has(reason)) this.#state.traffic.dropPending(socket, toFailure(clientGone()));
  });

  readonly #onDisconnect = listener((socket, reason) => {
    this.#state.signals.disconnected(socket);
    if (this.#disconnect.plan.length === 0) return;
    this.#state.traffic.after(this.#disconnect, new Context(this.#disconnect, socket, reason, oneArgument, undefined));
  });
}

/** Why a socket is gone, as Socket.IO tells it, that the server or the application has closed: `socket.disconnect()`, `conn.close()`. */
const closedHere: ReadonlySet<string> = new Set(["server namespace disconnect", "forced close"]);

/** Whether an emitter can look it up: a custom parser may let an object be an event's name, and converting it may throw. */
function isKey(event: unknown): boolean {
  if (typeof event !== "object") return true;
  try {
    Reflect.has({}, event as unknown as PropertyKey); // converts it, as the emitter would
    return true;
  } catch {
    return false;
  }
}

/** A socket as the emitter it is: its typed methods don't know names that are only known at run time. */
function emitter(socket: Socket): EventEmitter {
  return socket;
}

// Socket.IO calls these with the socket as `this`; each is made once for a namespace and shared by all its sockets.

function observer(binding: NamespaceBinding): (this: Socket, event: unknown) => void {
  return markOwn(function (this: Socket, event: unknown): void {
    // Not a rest parameter: it would be an array for every event, and only few need to look.
    if (event === REQUEST) {
      binding.announce(this, arguments[1], arguments[2]);
      // Nobody needs an answer; but whoever asks for one has it, such as a client whose socket retries what is not acknowledged.
      const ack: unknown = arguments[arguments.length - 1];
      if (typeof ack === "function") ack();
    } else binding.observe(this, event, arguments[arguments.length - 1]);
  }, "observer");
}

function listener(run: (socket: Socket, reason: string) => void): (this: Socket, reason: string) => void {
  return function (this: Socket, reason: string): void {
    run(this, reason);
  };
}
