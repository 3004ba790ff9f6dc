import { Deadline } from "../../lifecycle/deadline.js";
import type { Awaitable } from "../../wire/values.js";
import type { Notification } from "./notification-store.js";

/**
 * Another way to reach a user, for whom none of their tabs and devices has said that it has the notification: mail, web push.
 *
 * @example
 * const email: Fallback = {
 *   name: "email",
 *   async deliver({ user, title, message }, signal) {
 *     const address = await addressOf(user, { signal });
 *     if (address === undefined) return false;
 *     await mailer.send({ to: address, subject: title, text: message });
 *     return true;
 *   },
 * };
 */
export interface Fallback {
  /** What `via` says when it was this one. */
  readonly name: string;
  /**
   * Delivers. True ends it: no fallback that comes later is asked. False, a throw, and no answer within the time limit pass on to the next;
   * the latter two are logged.
   *
   * @param signal - aborts when the time is over: what it still delivers then may be delivered twice
   */
  deliver(notification: Notification, signal: AbortSignal): Awaitable<boolean>;
}

/** Asks one fallback after another. Returns the name of the one that took it. Never rejects: `report` is told what failed. */
export async function fallBack(
  fallbacks: readonly Fallback[],
  notification: Notification,
  timeoutMs: number,
  report: (fallback: Fallback, error: unknown) => void,
): Promise<string | undefined> {
  for (const fallback of fallbacks) {
    const controller = new AbortController();
    let isTaken = false;
    const asked = async (): Promise<void> => {
      isTaken = await fallback.deliver(notification, controller.signal);
    };
    const settled = await new Deadline(timeoutMs).settle(asked());
    if (settled.kind === "done" && isTaken) return fallback.name;
    if (settled.kind === "done") continue;
    const late = new Error(`it has not answered within ${timeoutMs} ms`);
    report(fallback, settled.kind === "failed" ? settled.error : late);
    controller.abort(late);
  }
  return undefined;
}
