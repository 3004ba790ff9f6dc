import type { Namespace, Server } from "socket.io";
import { Admission, type AdmissionLimits, Closings } from "./admission.js";
import { Engines } from "./engines.js";
import type { IngressState } from "../dispatch/ingress-state.js";
import type { CheckedIngressOptions } from "./ingress-options.js";
import { FrameGuard } from "./frame-guard.js";
import { NamespaceBinding } from "./namespace-binding.js";
import type { OpenEvent } from "./open-events.js";
import type { NamespacePattern } from "../events/namespace-pattern.js";
import { parserOf } from "../wire/sendable.js";
import type { Subscriptions } from "../dispatch/subscriptions.js";
import { TransportNamespaces } from "./transport-namespaces.js";
import { Transports } from "./transports.js";
import { UnknownEvents } from "./unknown-events.js";
import { coalesceWrites } from "./write-coalescing.js";

/** Whom the middleware that was left on a namespace asks. */
interface Gate {
  binding: NamespaceBinding | undefined;
}

/** Where an ingress meets a server: the namespaces that are served, now and when they come to exist. */
export class ServerBinding {
  readonly #state: IngressState;
  readonly #subscriptions: Subscriptions;
  readonly #options: CheckedIngressOptions;
  readonly #admission: AdmissionLimits;
  readonly #unknown: UnknownEvents;
  readonly #frames: FrameGuard;
  /** Its transports, for who watches them. */
  readonly transports: Transports;
  /** By name. Weak, since dynamic namespaces come and go by the thousand: each is held by the listeners it has on its namespace. */
  readonly #namespaces = new Map<string, WeakRef<NamespaceBinding>>();
  /** The middleware we left on a namespace, since Socket.IO can't take one off again (decision 0015): it asks whoever serves it now. */
  readonly #gates = new WeakMap<Namespace, Gate>();
  /** Patterns whose dynamic namespaces clients may enter; Socket.IO gives each to the first pattern that fits (decision 0003). */
  readonly #patterns = new WeakMap<Server, Set<string>>();
  #stopCoalescing: (() => void) | undefined;
  #io: Server | undefined;

  constructor(state: IngressState, subscriptions: Subscriptions, options: CheckedIngressOptions) {
    this.#state = state;
    this.#subscriptions = subscriptions;
    this.#options = options;
    this.#admission = {
      timeoutMs: options.admitTimeoutMs,
      namespaces: new TransportNamespaces(options.maxNamespaces),
      closings: new Closings(),
    };
    const { namespaces } = this.#admission;
    this.#frames = new FrameGuard({ log: state.log, maxArguments: options.maxArguments, namespaces });
    this.transports = new Transports(namespaces);
    this.#unknown = new UnknownEvents(state, {
      ...options,
      entryOf: ({ nsp }, event) => this.entry(event, nsp.name),
    });
    state.signals.onWatch = (socket) => this.#namespaces.get(socket.nsp.name)?.deref()?.watch(socket);
  }

  /** Serve its default namespace and those that anybody subscribed for. */
  attach(io: Server): void {
    const { coalesceWrites: coalescing } = this.#options;
    const engines = new Engines(io);
    if (coalescing !== false) this.#stopCoalescing = coalesceWrites(engines, coalescing === true ? {} : coalescing);
    this.#io = io;
    this.#state.parser = parserOf(io);
    // First the guard, which keeps account of a transport before anybody asks about it.
    this.#frames.watch(io, engines);
    this.transports.watch(engines);
    io.on("new_namespace", this.#onNamespace);
    this.#bind(io.of("/"));
    for (const pattern of this.#subscriptions.patterns()) this.serve(pattern);
  }

  /** Take everything off it again. */
  detach(): void {
    const io = this.#io as Server; // whoever takes it off has attached it
    this.#io = undefined;
    io.off("new_namespace", this.#onNamespace);
    this.#stopCoalescing?.();
    this.#stopCoalescing = undefined;
    for (const binding of this.#bindings()) {
      binding.unbind();
      const gate = this.#gates.get(binding.namespace) as Gate; // made with the binding
      gate.binding = undefined;
    }
    this.#namespaces.clear();
    this.#frames.unwatch(io);
    this.transports.unwatch();
  }

  /** Make sure that the namespaces of a pattern exist and are served. */
  serve(pattern: NamespacePattern): void {
    const io = this.#io;
    if (io === undefined) return;
    if (typeof pattern.source === "string") return this.#bind(io.of(pattern.source));
    let patterns = this.#patterns.get(io);
    if (patterns === undefined) this.#patterns.set(io, (patterns = new Set()));
    if (!patterns.has(pattern.key)) {
      patterns.add(pattern.key);
      io.of(pattern.source);
    }
    // The only list of the namespaces that exist is `_nsps`; public to TypeScript, private by its doc comment. Without it,
    // dynamic namespaces older than the first subscription for them would not be served (decision 0014).
    for (const [name, namespace] of io._nsps ?? []) if (pattern.matches(name)) this.#bind(namespace);
  }

  /** Whether events are on their way to a dispatcher. */
  get arriving(): boolean {
    for (const binding of this.#bindings()) if (binding.arriving) return true;
    return false;
  }

  /** The subscribers of an event changed. */
  update(event: string): void {
    for (const binding of this.#bindings()) binding.update(event);
  }

  /** The entry of an event in a namespace that is served, if anybody listens to it. */
  entry(event: string, namespace: string): OpenEvent | undefined {
    return this.#namespaces.get(namespace)?.deref()?.entry(event);
  }

  *#bindings(): Iterable<NamespaceBinding> {
    for (const reference of this.#namespaces.values()) {
      const binding = reference.deref();
      if (binding !== undefined) yield binding;
    }
  }

  readonly #onNamespace = (namespace: Namespace): void => {
    for (const pattern of this.#subscriptions.patterns()) {
      if (pattern.matches(namespace.name)) return this.#bind(namespace);
    }
  };

  #bind(namespace: Namespace): void {
    if (this.#namespaces.get(namespace.name)?.deref()?.namespace === namespace) return;
    for (const [name, reference] of this.#namespaces)
      if (reference.deref() === undefined) this.#namespaces.delete(name);
    const binding = new NamespaceBinding(namespace, {
      state: this.#state,
      planOf: (event, name) => this.#subscriptions.planOf(event, name),
      createAdmission: (entry) => new Admission(this.#state, entry, this.#admission),
      frames: this.#frames,
      unknown: this.#unknown,
      eager: this.#options.listeners === "atConnection",
    });
    this.#namespaces.set(namespace.name, new WeakRef(binding));
    this.#guard(namespace, binding);
    binding.bind();
    for (const event of this.#subscriptions.events()) binding.update(event);
  }

  #guard(namespace: Namespace, binding: NamespaceBinding): void {
    const known = this.#gates.get(namespace);
    if (known !== undefined) {
      known.binding = binding;
      return;
    }
    const gate: Gate = { binding };
    this.#gates.set(namespace, gate);
    namespace.use((socket, next) => {
      if (gate.binding === undefined) next();
      else gate.binding.admit(socket, next);
    });
  }
}
