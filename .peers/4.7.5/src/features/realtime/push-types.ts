import type { UnsendableEventName } from "../../wire/event-names.js";
import type { EmitEventsOf, EventArgs, EventName, ListenEventsOf } from "../../wire/event-types.js";

/** What a server of this application can push: its server-to-client events. */
export type PushEvent<App> = Exclude<keyof EmitEventsOf<App> & string, UnsendableEventName | `ingress:${string}`>;

/** Stands for the data of an event that can't be pushed, so that the compiler says why. */
export interface OneArgumentOnly {
  /** What to do instead. */
  "a push carries one argument; give this event one, or send it with io.to(...)": never;
}

/** The data a push of this event carries: its one argument, or `undefined` if it has none. */
export type PushData<App, Event extends string> = Event extends keyof EmitEventsOf<App>
  ? DataOf<EmitEventsOf<App>[Event]>
  : unknown;

type DataOf<F> = F extends (...args: infer Args) => unknown
  ? number extends Args["length"]
    ? unknown
    : Args extends readonly []
      ? undefined
      : Args extends readonly [data?: infer Data]
        ? Data
        : OneArgumentOnly
  : unknown;

/** What clients of this application can be told to ask again: its client-to-server events. */
export type RefetchAction<App> = EventName<App>;

/** What an action is asked with: its first argument. */
export type RefetchPayload<App, Action extends string> = Action extends keyof ListenEventsOf<App>
  ? EventArgs<ListenEventsOf<App>[Action]>[0]
  : unknown;

/**
 * What a notice of this name carries, as `client.onCustomEvent` promises it: the first argument of the push of that name, or anything if
 * there is none.
 */
export type NoticeData<App, Name extends string> = [Name] extends [never]
  ? unknown
  : Name extends keyof EmitEventsOf<App>
    ? FirstOf<EmitEventsOf<App>[Name]>
    : unknown;

type FirstOf<F> = F extends (...args: infer Args) => unknown
  ? number extends Args["length"]
    ? unknown
    : Args[0]
  : unknown;
