import type { Awaitable } from "../../../wire/values.js";

/** A request as the store knows it: whose it is, and what its client called it. */
export interface CallKey {
  /** Whose request it is: the same id of another identity is another request. */
  readonly identity: string;
  /** What the client sends again when it repeats the call. */
  readonly requestId: string;
}

/** What a store says to a request. */
export type Claim =
  /** Nobody has run it: it is for whoever asked to run it, under this token, until the lease ends. */
  | { readonly kind: "run"; readonly token: string }
  /** It was run; `answer` is what was kept of it. */
  | { readonly kind: "answered"; readonly answer: string }
  /** It was run, and its answer is not kept any more. */
  | { readonly kind: "unkept" }
  /** Somebody runs it. */
  | { readonly kind: "running" }
  /** Whoever ran it is gone: its lease has ended. Part of the work may be done. */
  | { readonly kind: "died" }
  /** The id was used for something else: another event, or other arguments. */
  | { readonly kind: "other" };

/** How long a store keeps what it is given, in milliseconds. */
export interface CallTimes {
  /** How long an answer is kept for a retry. */
  readonly windowMs: number;
  /** How long a claim holds before it has to be renewed. */
  readonly leaseMs: number;
}

/**
 * Who runs a repeated call, and what it was answered: in memory for one node, or shared by all of them. What a claim says holds for
 * everybody who shares the store. One that rejects makes callers come back later.
 *
 * `contract(store)` of `socket-ingress/testing` says what yours has to keep.
 */
export interface CallStore {
  /** Asks for a request. Of several that ask at once, one is told to run. `digest` stands for the event and its arguments. */
  claim(key: CallKey, digest: string, times: CallTimes): Awaitable<Claim>;
  /** Has a claim hold for another lease. False if it is not held under this token any more. */
  renew(key: CallKey, token: string, times: CallTimes): Awaitable<boolean>;
  /** Keeps an answer: JSON, or `undefined` for one that can't be kept, of which only the fact is. */
  answer(key: CallKey, token: string, answer: string | undefined, times: CallTimes): Awaitable<void>;
  /** Forgets a request that came to nothing, so that it may run again. */
  forget(key: CallKey, token: string): Awaitable<void>;
  /** Somebody has said who they are: the requests of `from` are those of `to` from now on, running ones included. */
  carry(from: string, to: string): Awaitable<void>;
}
