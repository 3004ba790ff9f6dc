import type { Awaitable } from "../../../wire/values.js";

/** A request as the store knows it: whose it is, and what its client called it. */
export interface CallKey {
  /** Whose request it is: the same id of another identity is another request. */
  readonly identity: string;
  /** What the client sends again when it repeats the call. */
  readonly requestId: string;
}

/** Nobody has run it: it is for whoever asked to run it, under this token, until the lease ends. */
export interface ClaimToRun {
  /** It is to be run. */
  readonly kind: "run";
  /** What the claim is renewed, answered and forgotten under. */
  readonly token: string;
}

/** It was run, and this was kept of it. */
export interface ClaimAnswered {
  /** It was answered. */
  readonly kind: "answered";
  /** The answer, as it was given to the store. */
  readonly answer: string;
}

/** It is not to be run. */
export interface ClaimRefused {
  /**
   * Why: it was run and its answer is not kept any more (`unkept`), somebody runs it (`running`), whoever ran it is gone and part of the
   * work may be done (`died`), or the id was used for another event or other arguments (`other`).
   */
  readonly kind: "unkept" | "running" | "died" | "other";
}

/** What a store says to a request. */
export type Claim = ClaimToRun | ClaimAnswered | ClaimRefused;

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
