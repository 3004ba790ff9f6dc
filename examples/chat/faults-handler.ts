import { type EventMap, Handler } from "socket-ingress";
import type { App } from "./app.js";

/** Everything a handler should not do. The caller is answered, the log has the error, and the server goes on. */
export class FaultsHandler extends Handler<App> {
  readonly name = "faults";
  readonly events = {
    explode: "throwError",
    hang: { run: "neverAnswer", timeoutMs: 1_000 },
    circle: "replyInCircles",
  } satisfies EventMap<FaultsHandler, App>;

  throwError(): never {
    throw new Error("the password is hunter2"); // reaches the log, never the caller
  }

  neverAnswer(): Promise<never> {
    return new Promise(() => {});
  }

  replyInCircles(): unknown {
    const circle: { self?: unknown } = {};
    circle.self = circle;
    return circle;
  }
}
