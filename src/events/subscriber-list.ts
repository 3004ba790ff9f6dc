import type { setRepeats } from "./repeats.js";
import type { transports, TransportWatch } from "./transports.js";
import { type Repeats } from "./repeats.js";
import { forbiddenEvents, reservedEvents } from "../wire/event-names.js";
import { describeValue } from "../wire/values.js";
import type { AnyBeforeEvent } from "./arrival.js";
import type { AnyInterceptor, AnySubscriber, AppServer } from "./subscriber.js";
import { namespacePattern, type NamespacePattern } from "./namespace-pattern.js";
import { readOptions } from "./option-table.js";
import { type CheckedOptions, type EventDefaults, subscribeOptions } from "./subscribe-options.js";

/** Who subscribes, when it is a class: set by handlers and controllers. */
export interface SubscriberIdentity {
  /** What the subscriber is called with as `this`. */
  readonly self: unknown;
  readonly handler: string;
  readonly method: string;
  /** Interceptors between those of the ingress and those of the event. */
  readonly use: readonly AnyInterceptor[];
}

/** The method of an ingress that subscribes with an identity; for the classes of this package. */
export const subscribeAs: unique symbol = Symbol("socket-ingress.subscribeAs");

/** The method of an ingress that has somebody asked before each event, with an identity; for the classes of this package. */
export const askAs: unique symbol = Symbol("socket-ingress.askAs");

/** The method of an ingress that says who listens to what, and who would if some others did, too; for the manager. */
export const describeWith: unique symbol = Symbol("socket-ingress.describeWith");

/** The ingress, as far as handlers and controllers need it to subscribe. */
export interface SubscribingIngress<App extends AppServer> {
  /** The server it is attached to. */
  readonly io: App | undefined;
  /**
   * @internal
   * @returns a function that ends the subscription, and resolves once no run of it is under way
   */
  [subscribeAs](event: string, fn: AnySubscriber, options: object, identity: SubscriberIdentity): () => Promise<void>;
  /**
   * @internal
   * @returns a function that ends it, and resolves once nobody waits for it
   */
  [askAs](fn: AnyBeforeEvent, options: object, identity: SubscriberIdentity): () => Promise<void>;
  /** @internal */
  [setRepeats](namespace: string, repeats: Repeats<App>): () => void;
  /** @internal */
  readonly [transports]: TransportWatch;
}

/** One subscriber of a handler or controller, before it is subscribed. */
export interface SubscriberEntry {
  readonly event: string;
  readonly fn: AnySubscriber;
  /** What it is called in logs and in `describe()`. */
  readonly method: string;
  readonly options: object;
}

/** Whose subscribers they are. */
export interface SubscriberOwner {
  readonly name: string;
  readonly namespace: string | RegExp;
  readonly self: object;
  readonly use: readonly AnyInterceptor[];
  /** How the callers of its events are answered, where it says so. */
  readonly callback: unknown;
  /** Asked once for each event that a client sends. */
  readonly beforeEvent?: AnyBeforeEvent | undefined;
}

/**
 * Subscribes all of them, or none: a mistake in the last one undoes the others.
 *
 * @returns a function that ends all subscriptions, and resolves once no run of them is under way
 */
export function subscribeAll<App extends AppServer>(
  ingress: SubscribingIngress<App>,
  owner: SubscriberOwner,
  entries: readonly SubscriberEntry[],
): () => Promise<void> {
  const { beforeEvent } = owner;
  const offs: (() => Promise<void>)[] = [];
  const endAll = async (): Promise<void> => {
    await Promise.all(offs.splice(0).map((off) => off()));
  };
  try {
    if (beforeEvent !== undefined) offs.push(ingress[askAs](beforeEvent, {}, identityOf(owner, "beforeEvent")));
    for (const { event, fn, method, options } of entries) {
      offs.push(ingress[subscribeAs](event, fn, optionsOf(owner, options), identityOf(owner, method)));
    }
  } catch (thrown) {
    void endAll();
    throw thrown;
  }
  return endAll;
}

/**
 * Checks what {@link subscribeAll} would, without a server.
 *
 * @throws TypeError naming the mistake
 */
export function checkEntries(owner: SubscriberOwner, entries: readonly SubscriberEntry[]): void {
  for (const { event, options } of entries) checkEntry(owner.name, event, optionsOf(owner, options));
}

/** Who an owner's subscriber is. */
export function identityOf({ name: handler, self, use }: SubscriberOwner, method: string): SubscriberIdentity {
  return { self, handler, method, use };
}

/** What an event says, and what its owner says for all events. */
export function optionsOf({ namespace, callback }: SubscriberOwner, options: object): object {
  return { namespace, callback, ...options };
}

/** The same for one subscriber. */
export function checkEntry(by: string, event: unknown, options: object): void {
  readSubscription(by, event, options);
}

/** A subscription as it was asked for, checked. */
export interface CheckedSubscription {
  readonly name: string;
  /** Who and what, for messages. */
  readonly subject: string;
  readonly options: CheckedOptions;
  readonly pattern: NamespacePattern;
}

/**
 * Reads what somebody subscribes with, but for the function.
 *
 * @throws TypeError naming the mistake
 */
export function readSubscription(
  by: string,
  event: unknown,
  given: object,
  defaults?: EventDefaults,
): CheckedSubscription {
  const name = checkEvent(by, event);
  const subject = `${by}, event "${name}"`;
  const options = readOptions(subject, subscribeOptions, given, defaults);
  if (options.guard && reservedEvents.has(name) && name !== "connect") {
    throw new TypeError(`${subject}: guard can't be true, since "${name}" only tells and nobody can refuse it`);
  }
  return { name, subject, options, pattern: namespacePattern(options.namespace, subject) };
}

/** Reads an event map: each value is the name of a method, a function, or an object with one of them as `run`. */
export function readEventMap(subject: string, self: object, events: unknown): SubscriberEntry[] {
  if (typeof events !== "object" || events === null || Array.isArray(events)) {
    throw new TypeError(`${subject}: events must be an object { event: "method" }, got ${describeValue(events)}`);
  }
  return Object.entries(events).map(([event, value]) => readEntry(`${subject}, event "${event}"`, self, event, value));
}

function readEntry(subject: string, self: object, event: string, value: unknown): SubscriberEntry {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    const { run, ...options } = value as { run?: unknown };
    return { event, ...readRun(subject, self, run), options };
  }
  return { event, ...readRun(subject, self, value), options: {} };
}

function readRun(subject: string, self: object, run: unknown): { fn: AnySubscriber; method: string } {
  if (typeof run === "function")
    return { fn: run as AnySubscriber, method: run.name === "" ? "(anonymous)" : run.name };
  if (typeof run !== "string") {
    throw new TypeError(
      `${subject} must name a method, be a function, or an object with one of them as run, got ${describeValue(run)}`,
    );
  }
  const fn = (self as Record<string, unknown>)[run];
  if (typeof fn !== "function" || run === "constructor" || run in Object.prototype) {
    const methods = methodsOf(self);
    const known = methods.length === 0 ? "it has none" : `it has ${methods.join(", ")}`;
    throw new TypeError(
      `${subject} names the method ${describeValue(run)}, which ${self.constructor.name} does not have; ${known}`,
    );
  }
  if (run in baseOf(self))
    throw new TypeError(`${subject} names the method "${run}", which is every handler's own; give yours another name`);
  return { fn: fn as AnySubscriber, method: run };
}

/** The prototype of the last class before Object, which is ours (Handler). */
function baseOf(self: object): object {
  let proto = Object.getPrototypeOf(self) as object;
  while (isBelowBase(proto)) proto = Object.getPrototypeOf(proto) as object;
  return proto;
}

/** The methods a class and those between it and its base declare, for the message about a misspelt one. */
function methodsOf(self: object): string[] {
  const names = new Set<string>();
  const mine = Object.getPrototypeOf(self) as object | null;
  // The last class before Object is ours (Handler), the one behind it the user's first.
  for (let proto = mine; proto !== null && isBelowBase(proto); proto = Object.getPrototypeOf(proto) as object | null) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(proto))) {
      if (typeof value === "function" && name !== "constructor") names.add(name);
    }
  }
  return [...names].sort();
}

function isBelowBase(proto: object): boolean {
  const parent = Object.getPrototypeOf(proto) as object | null;
  return parent !== null && parent !== Object.prototype;
}

/**
 * The name of an event, checked.
 *
 * @throws TypeError naming who subscribes, and what was given
 */
export function checkEvent(by: string, event: unknown): string {
  if (typeof event !== "string" || event.trim() === "") {
    throw new TypeError(`${by}: an event must be a non-blank string, got ${describeValue(event)}`);
  }
  if (forbiddenEvents.has(event)) {
    throw new TypeError(
      `${by}: "${event}" is reserved by Socket.IO or Node.js and never reaches a subscriber; choose another name`,
    );
  }
  return event;
}
