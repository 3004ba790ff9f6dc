import { describeValue } from "../wire/values.js";
import { isKey, type Key } from "../lifecycle/registry.js";
import type { AnyBeforeEvent } from "./arrival.js";
import type { Host } from "./host.js";
import type { SubscriberEntry, SubscriberOwner } from "./subscriber-list.js";

/** What a manager can be given. */
export type PartKind = "service" | "handler" | "controller";

/** One thing a manager starts and stops, as it describes itself. */
export interface Part {
  readonly kind: PartKind;
  readonly name: string;
  readonly target: object;
  readonly requires: readonly Key[];
  /** Lend it what the manager has. */
  bind(host: Host | undefined): void;
  start(): Promise<void>;
  /** Tell it that a shutdown begins. */
  drain(signal: AbortSignal): Promise<unknown>;
  stop(): Promise<void>;
  /**
   * What it will subscribe when it starts; nothing once it has, or if it has no events.
   *
   * @throws what its class threw, where it has to start before it can say
   */
  declared(): Declared | undefined;
}

/** What a handler or controller subscribes when it starts. */
export interface Declared {
  readonly owner: SubscriberOwner;
  readonly entries: readonly SubscriberEntry[];
  /** Who it has asked before each event, beside the owner's own `beforeEvent`. */
  readonly asks?: { readonly fn: AnyBeforeEvent; readonly method: string; readonly priority: number } | undefined;
}

/** The method by which a handler says what it subscribes. */
export const declares: unique symbol = Symbol("socket-ingress.declares");

/**
 * The method by which what stands behind a door of this package says what it has beside events, such as topics and queues: lists by what
 * their members are. The core does not know what they are; it hands them on.
 */
export const has: unique symbol = Symbol("socket-ingress.has");

/** What a feature has, by what it is: `topics`, `queues`, `documents`, `rates`. */
export type Belongings = Readonly<Record<string, readonly object[]>>;

/** The method by which a handler, service or controller is told that a shutdown begins; it tells those it has adopted. */
export const tellDrain: unique symbol = Symbol("socket-ingress.tellDrain");

/** What a handler of this package has that stands behind a door: its events are told apart from an application's own. */
export const builtIn: unique symbol = Symbol("socket-ingress.builtIn");

/**
 * The method by which a manager asks what it is given to describe itself. It throws a TypeError when the class is wired wrongly, naming
 * what, and changes nothing.
 */
export const asPart: unique symbol = Symbol("socket-ingress.asPart");

/**
 * A handler, service or controller as messages name it: `PresenceHandler "presence"`. `base` stands for a class without a name.
 *
 * @throws TypeError when it has no name
 */
export function subjectOf(target: object, base: string): string {
  const { name } = target as { name?: unknown };
  const own = target.constructor.name || base;
  if (typeof name === "string" && name.trim() !== "") return `${own} "${name}"`;
  throw new TypeError(`${own}: name must be a non-blank string, a field of the class; got ${describeValue(name)}`);
}

/** What something is called for whoever reads a table: as {@link subjectOf}, and by its class alone if it has no name. */
export function titleOf(target: unknown): string | undefined {
  if (typeof target !== "object" || target === null) return undefined;
  const { name } = target as { name?: unknown };
  const own = target.constructor?.name ?? "Object";
  return typeof name === "string" && name.trim() !== "" ? `${own} "${name}"` : own;
}

/**
 * The keys of what has to be there first.
 *
 * @throws TypeError naming what is no key
 */
export function checkRequires(subject: string, requires: unknown): readonly Key[] {
  const wrong = `${subject}: requires must be a list of names, tokens and classes`;
  if (!Array.isArray(requires)) throw new TypeError(`${wrong}, got ${describeValue(requires)}`);
  for (const key of requires) if (!isKey(key)) throw new TypeError(`${wrong}, got ${describeValue(key)} in it`);
  return [...(requires as Key[])];
}

/** Throws when what has one manager is registered with another. */
export function checkHost(name: string, before: object | undefined, host: object | undefined): void {
  if (host === undefined || before === undefined || host === before) return;
  throw new Error(`${JSON.stringify(name)} belongs to a manager already`);
}
