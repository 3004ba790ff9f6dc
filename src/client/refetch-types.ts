import type { CallArgs, CallName, CallValue } from "./client.js";
import type { RefetchOptions } from "./refetches.js";

/** Stands for an action that no refetch can ask, so that the compiler says why. */
export interface OnePayloadOnly {
  /** What to do instead. */
  "a refetch asks with one payload; give a function that calls it": never;
}

/** Nothing against what a refetch can ask; {@link OnePayloadOnly} for an action that takes more than that. */
export type AskedOnce<App, Asked> =
  Asked extends CallName<App> ? (TakesMore<CallArgs<App, Asked>> extends true ? OnePayloadOnly : unknown) : unknown;

type TakesMore<Args> = [] extends Args ? false : [any] extends Args ? false : true;

/**
 * What follows in a refetch: who receives, and the options. An action that can't do without a payload is given one; `undefined`
 * says that the server will, in its shorthand, and until then the action is called with nothing.
 */
export type RefetchRest<App, Asked> =
  Asked extends CallName<App>
    ? [onResult: (value: CallValue<App, Asked>) => unknown, ...options: ActionOptions<CallArgs<App, Asked>>]
    : Asked extends (...context: never) => infer Result
      ? [onResult?: (value: Awaited<Result>) => unknown, options?: RefetchOptions]
      : never;

type ActionOptions<Args extends readonly unknown[]> =
  NeedsPayload<Args> extends true
    ? [options: RefetchOptions & { payload: Args[0] | undefined }]
    : [options?: RefetchOptions & { payload?: Args[0] }];

/** Not so for one that takes more: {@link OnePayloadOnly} is all there is to say. */
type NeedsPayload<Args> = [] extends Args
  ? false
  : [undefined] extends Args
    ? false
    : [any] extends Args
      ? true
      : false;
