import { describeValue, reasonOf } from "../wire/values.js";
import type { Handler } from "../handler.js";
import type { PartKind } from "../events/managed.js";
import type { ManagedParts } from "./managed-parts.js";
import { type Service, type ServiceHealth } from "../service.js";
import type { AppServer } from "../events/subscriber.js";

/** Where a manager is in its life, and whether all is well. */
export type ManagerStatus = "idle" | "starting" | "ok" | "degraded" | "draining" | "stopped";

/** How a handler is. */
export interface HandlerHealth {
  /** What it is called. */
  readonly name: string;
  /** Whether its events are bound. */
  readonly registered: boolean;
}

/** Something that did not start or stop, and has not since. */
export interface HealthFailure {
  /** What kind of thing it is; `server` is what the manager serves, which somebody else has closed. */
  readonly kind: PartKind | "server";
  /** What it is called. */
  readonly name: string;
  /** What it did not do. */
  readonly phase: "start" | "drain" | "stop";
  /** Why, in a line. */
  readonly reason: string;
}

/** How a manager and everything in it is. */
export interface ManagerHealth {
  /** `degraded` is up, but something failed to start or is not well. */
  readonly status: ManagerStatus;
  /** Whether clients may be sent here: `ok` or `degraded`, with a server that is not closed. What a readiness probe asks for. */
  readonly ready: boolean;
  /** Services, in the order in which they were registered. */
  readonly services: readonly ServiceHealth[];
  /** Handlers, in the order in which they were registered. */
  readonly handlers: readonly HandlerHealth[];
  /** Controllers, in the order in which they were registered. */
  readonly controllers: readonly ServiceHealth[];
  /** What failed since the last boot began, and has not recovered. */
  readonly failures: readonly HealthFailure[];
}

/** Puts together how everything is. */
export function managerHealth(
  status: "idle" | "starting" | "up" | "draining" | "stopped",
  parts: ManagedParts,
  serverClosed: boolean,
): ManagerHealth {
  const of = (kind: PartKind): object[] => parts.all.filter((part) => part.kind === kind).map(({ target }) => target);
  const services = (of("service") as Service[]).map(healthOf);
  const controllers = (of("controller") as Service[]).map(healthOf);
  const handlers = (of("handler") as Handler<AppServer>[]).map(({ name, registered }) => ({ name, registered }));

  // Services and controllers share their names, handlers have names of their own.
  const running = new Set([...services, ...controllers].filter(isUp).map(({ name }) => name));
  const registered = new Set(handlers.filter((handler) => handler.registered).map(({ name }) => name));
  const failures: HealthFailure[] = parts.failures
    .filter(({ kind, name, phase }) => phase !== "start" || !(kind === "handler" ? registered : running).has(name))
    .map(({ kind, name, phase, error }) => ({ kind, name, phase, reason: reasonOf(error) }));
  const lost = status === "up" && serverClosed;
  if (lost) failures.push({ kind: "server", name: "http", phase: "stop", reason: "the server was closed" });
  const unwell = [...services, ...controllers].some(({ status: one }) => one === "degraded" || one === "failed");
  const now = status === "up" ? (failures.length > 0 || unwell ? "degraded" : "ok") : status;
  return { status: now, ready: status === "up" && !lost, services, handlers, controllers, failures };
}

function isUp({ status }: ServiceHealth): boolean {
  return status === "ok" || status === "degraded";
}

/** A service may say more of itself than we do, and fail at that. */
function healthOf(service: Service): ServiceHealth {
  try {
    const health = service.health() as ServiceHealth | null | undefined; // an override may return anything
    if (typeof health === "object" && health !== null) return health;
    throw new TypeError(`it returned ${describeValue(health)}`);
  } catch (error) {
    return { name: service.name, status: "degraded", failures: 0, reason: `health() failed: ${reasonOf(error)}` };
  }
}
