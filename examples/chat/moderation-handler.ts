import { EventError, type EventContext, type EventMap, Handler } from "socket-ingress";
import { type App, type Draft, draft } from "./app.js";

const RUDE = /\b(darn|heck|spam)\b/i;
const BURST = 8;
const WINDOW_MS = 5_000;

/** Looks at every message before the rooms do: a lower priority runs first. */
export class ModerationHandler extends Handler<App> {
  readonly name = "moderation";
  readonly events = {
    message: { run: "review", input: draft, priority: 10 },
    disconnect: "forget",
  } satisfies EventMap<ModerationHandler, App>;
  private readonly recent = new Map<string, number[]>();

  review(context: EventContext<App>, { text }: Draft): void {
    const now = Date.now();
    const times = (this.recent.get(context.socket.id) ?? []).filter((at) => now - at < WINDOW_MS);
    const [oldest] = times;
    if (oldest !== undefined && times.length >= BURST) {
      context.stop(); // or the rooms would still run: one subscriber's error is its own
      throw new EventError("RATE_LIMITED", "slow down a little", { retryAfterMs: WINDOW_MS - (now - oldest) });
    }
    this.recent.set(context.socket.id, [...times, now]);
    if (RUDE.test(text)) {
      context.stop();
      throw new EventError("FORBIDDEN", "please mind your words");
    }
  }

  forget({ socket }: EventContext<App>): void {
    this.recent.delete(socket.id);
  }
}
