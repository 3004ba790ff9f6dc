import { describeValue } from "../wire/values.js";
import { Controller } from "../controller.js";
import type { AppServer } from "../events/subscriber.js";
import { Handler } from "../handler.js";
import { bindHost, checkWiring, type Host } from "../events/host.js";
import type { SocketIngress } from "../socket-ingress.js";
import { describeKey, isKey, type Key } from "../lifecycle/registry.js";
import { Service } from "../service.js";

/** What a manager can be given. */
export type PartKind = "service" | "handler" | "controller";

/** One thing a manager starts and stops. */
export interface Part {
  readonly kind: PartKind;
  readonly name: string;
  readonly target: object;
  readonly requires: readonly Key[];
  /** Lend it what the manager has. */
  bind(host: Host | undefined): void;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Makes a part of a service or a controller. Throws a TypeError naming what is wrong with it. */
export function servicePart(method: string, kind: "service" | "controller", value: unknown): Part {
  const [expected, base] = kind === "service" ? ["a Service", Service] : ["a Controller", Controller];
  if (!(value instanceof base)) throw new TypeError(`${method} expects ${expected}, got ${describeValue(value)}`);
  if (kind === "service" && value instanceof Controller) {
    throw new TypeError(`${method} expects a service without events, got a Controller: use registerController`);
  }
  const service = value;
  return {
    kind,
    name: nameOf(method, service),
    target: service,
    requires: requiresOf(method, service),
    bind: (host) => service[bindHost](host),
    start: () => service.start(),
    stop: () => service.stop(),
  };
}

/** Makes a part of a handler. Throws a TypeError naming what is wrong with it. */
export function handlerPart(method: string, value: unknown): Part {
  if (!(value instanceof Handler)) throw new TypeError(`${method} expects a Handler, got ${describeValue(value)}`);
  const handler = value as Handler<AppServer>;
  const name = nameOf(method, handler);
  handler[checkWiring]();
  return {
    kind: "handler",
    name,
    target: handler,
    requires: [],
    // A manager is made for one App; the type of the host says so no more once it is in a list.
    bind: (host) => handler[bindHost](host as Host<AppServer, SocketIngress<AppServer>> | undefined),
    start: async () => handler.setup(),
    stop: () => handler.teardown(),
  };
}

/** `service "db"`, for messages. */
export function describePart({ kind, name }: Part): string {
  return `${kind} ${JSON.stringify(name)}`;
}

function nameOf(method: string, target: { readonly name: unknown }): string {
  const { name } = target;
  if (typeof name === "string" && name.trim() !== "") return name;
  throw new TypeError(
    `${method} expects ${target.constructor.name} to have a name, a field that is a string and not blank, got ${describeValue(name)}`,
  );
}

function requiresOf(method: string, service: Service): readonly Key[] {
  const requires: unknown = service.requires;
  const wrong = `${method} expects the requires of ${JSON.stringify(service.name)} to be a list of names, tokens and classes`;
  if (!Array.isArray(requires)) throw new TypeError(`${wrong}, got ${describeValue(requires)}`);
  for (const key of requires) if (!isKey(key)) throw new TypeError(`${wrong}, got ${describeValue(key)} in it`);
  return [...(requires as Key[])];
}

/** The service or controller that a key stands for, if any: a string is its name, a class its own. */
export function partFor(key: Key, parts: readonly Part[]): Part | undefined {
  return parts.find(
    ({ kind, name, target }) =>
      kind !== "handler" && (typeof key === "string" ? name === key : target.constructor === key),
  );
}

const ranks: Record<PartKind, number> = { service: 0, controller: 1, handler: 2 };

/**
 * The order to start in: services, controllers, handlers, each in the order in which they were registered, but whatever a service
 * requires before it.
 *
 * @throws Error naming the circle when services require each other in one.
 */
export function startOrder(parts: readonly Part[]): Part[] {
  const ordered = new Set<Part>();
  const visit = (part: Part, path: readonly Part[]): void => {
    if (ordered.has(part)) return;
    const begin = path.indexOf(part);
    if (begin !== -1) {
      const circle = [...path.slice(begin), part].map(({ name }) => JSON.stringify(name)).join(" -> ");
      throw new Error(`services require each other in a circle: ${circle}`);
    }
    for (const key of part.requires) {
      const required = partFor(key, parts);
      if (required) visit(required, [...path, part]);
    }
    ordered.add(part);
  };
  // Sorting is stable.
  for (const part of [...parts].sort((a, b) => ranks[a.kind] - ranks[b.kind])) visit(part, []);
  return [...ordered];
}

/** Says what a part requires and does not find, or nothing when all is there. */
export function missingRequirement(
  part: Part,
  parts: readonly Part[],
  isUp: (part: Part) => boolean,
  isProvided: (key: Key) => boolean,
): string | undefined {
  for (const key of part.requires) {
    const required = partFor(key, parts);
    if (required ? isUp(required) : isProvided(key)) continue;
    const why = required
      ? "which did not start"
      : "but no such service is registered and nothing was provided under this key";
    return `it requires ${describeKey(key)}, ${why}`;
  }
  return undefined;
}
