import type { AppServer } from "../events/subscriber.js";
import { describeKey } from "../lifecycle/registry.js";
import type { PartKind } from "../events/managed.js";
import type { ManagedParts } from "./managed-parts.js";
import type { SocketIngress } from "../socket-ingress.js";
import type { SubscriptionDescription } from "../dispatch/subscriptions.js";

/** One thing a manager has been given. */
export interface PartDescription {
  /** What it is called. */
  readonly name: string;
  /** Its class. */
  readonly class: string;
  /** What it requires, as error messages name it; empty for handlers. */
  readonly requires: readonly string[];
}

/** What a manager has, and who listens to what. */
export interface ManagerDescription {
  /** Services, in the order in which they were registered. */
  readonly services: readonly PartDescription[];
  /** Controllers, in the order in which they were registered. */
  readonly controllers: readonly PartDescription[];
  /** Handlers, in the order in which they were registered. */
  readonly handlers: readonly PartDescription[];
  /** Every subscriber of the application, in the order in which it runs. */
  readonly events: readonly SubscriptionDescription[];
  /** The subscribers of the package's own doors, such as `realtime`. */
  readonly builtIn: readonly SubscriptionDescription[];
}

/** Puts together what there is. */
export function describeManager<App extends AppServer>(
  parts: ManagedParts,
  ingress: SocketIngress<App>,
): ManagerDescription {
  const of = (wanted: PartKind): PartDescription[] =>
    parts.all
      .filter(({ kind }) => kind === wanted)
      .map(({ name, target, requires }) => ({
        name,
        class: target.constructor.name,
        requires: requires.map(describeKey),
      }));
  const events = ingress.describe();
  return {
    services: of("service"),
    controllers: of("controller"),
    handlers: of("handler"),
    events: events.filter(({ builtIn }) => !builtIn),
    builtIn: events.filter(({ builtIn }) => builtIn),
  };
}
