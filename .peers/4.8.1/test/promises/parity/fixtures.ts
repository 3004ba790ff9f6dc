import { type EventContext, Handler } from "socket-ingress";

/** Keeps what it is called with. */
export class Recorder extends Handler {
  readonly name = "recorder";
  readonly events = { record: "record" };
  readonly calls: unknown[][] = [];
  readonly contexts: EventContext[] = [];

  record(context: EventContext, ...args: unknown[]): { ok: true; count: number } {
    this.contexts.push(context);
    this.calls.push(args);
    return { ok: true, count: args.length };
  }
}

/** A promise that is settled from outside. */
export function deferred<T = void>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((settle) => (resolve = settle));
  return { promise, resolve };
}

/** What code may throw, and never should. */
export const throwers: readonly (readonly [string, () => unknown])[] = [
  ["an Error", () => new Error("boom")],
  ["null", () => null],
  ["undefined", () => undefined],
  ["a string", () => "boom"],
  ["a frozen error", () => Object.freeze(new Error("frozen"))],
  [
    "an error whose message throws",
    () =>
      Object.defineProperty(new Error("x"), "message", {
        get() {
          throw new Error("no message");
        },
      }),
  ],
  [
    "a revoked proxy",
    () => {
      const { proxy, revoke } = Proxy.revocable({}, {});
      revoke();
      return proxy;
    },
  ],
];
