import type { BeforeEventDescription } from "../dispatch/before-events.js";
import type { SubscriptionDescription } from "../dispatch/subscriptions.js";
import { type Belongings, type Declared, has, type Part, type PartKind } from "../events/managed.js";
import { describeWith } from "../events/subscriber-list.js";
import type { AppServer } from "../events/subscriber.js";
import { describeKey } from "../lifecycle/registry.js";
import type { IngressSettings, SocketIngress } from "../socket-ingress.js";
import { reasonOf } from "../wire/values.js";
import type { ManagedParts } from "./managed-parts.js";
import { startOrder } from "./start-order.js";

/** One thing a manager has been given. */
export interface PartDescription {
  /** What it is called. */
  readonly name: string;
  /** Its class. */
  readonly class: string;
  /** What it requires, as error messages name it; empty for handlers. */
  readonly requires: readonly string[];
  /** Why its events can't be told before it has started: what its class threw when it was asked. */
  readonly untold?: string;
}

/** What a feature of this package has beside events. */
export interface FeatureDescription {
  /** The name of its handler or service, such as `"realtime"`. */
  readonly name: string;
  /** Its class. */
  readonly class: string;
  /** Lists by what their members are: `topics`, `actions`, `queues`, `documents`, `models`, `rates` and others. */
  readonly has: Belongings;
}

/** What a manager has, and who listens to what. */
export interface ManagerDescription {
  /** Services, in the order in which they were registered. */
  readonly services: readonly PartDescription[];
  /** Controllers, in the order in which they were registered. */
  readonly controllers: readonly PartDescription[];
  /** Handlers, in the order in which they were registered. */
  readonly handlers: readonly PartDescription[];
  /**
   * Every subscriber of the application, in the order in which it runs. Before the boot: those that handlers and controllers declare, as they
   * will run.
   */
  readonly events: readonly SubscriptionDescription[];
  /** The subscribers of the package's own doors, such as `realtime`. */
  readonly builtIn: readonly SubscriptionDescription[];
  /** Who is asked about each event that a client sends, in order. */
  readonly beforeEvents: readonly BeforeEventDescription[];
  /** What the package's own features have. */
  readonly features: readonly FeatureDescription[];
  /** What holds for all events. */
  readonly settings: IngressSettings;
  /** Whether it has been booted. Before that, what somebody subscribes or declares while starting is not among all this. */
  readonly booted: boolean;
}

/** Puts together what there is; before the first boot also what is declared (decision 0083). */
export function describeManager<App extends AppServer>(
  parts: ManagedParts,
  ingress: SocketIngress<App>,
  booted: boolean,
): ManagerDescription {
  const declared: Declared[] = [];
  const untold = new Map<Part, string>();
  for (const part of booted ? [] : startOrder(parts.all)) {
    try {
      const said = part.declared();
      if (said !== undefined) declared.push(said);
    } catch (error) {
      untold.set(part, reasonOf(error));
    }
  }
  const of = (wanted: PartKind): PartDescription[] =>
    parts.all
      .filter(({ kind }) => kind === wanted)
      .map((part) => {
        const { name, target, requires } = part;
        const why = untold.get(part);
        const described = { name, class: target.constructor.name, requires: requires.map(describeKey) };
        return why === undefined ? described : { ...described, untold: why };
      });
  const { events, beforeEvents, settings } = ingress[describeWith](declared);
  return {
    services: of("service"),
    controllers: of("controller"),
    handlers: of("handler"),
    events: events.filter(({ builtIn }) => !builtIn),
    builtIn: events.filter(({ builtIn }) => builtIn),
    beforeEvents,
    features: parts.all.flatMap(({ name, target }) => {
      const feature = target as { readonly [has]?: () => Belongings };
      return feature[has] === undefined ? [] : [{ name, class: target.constructor.name, has: feature[has]() }];
    }),
    settings,
    booted,
  };
}
