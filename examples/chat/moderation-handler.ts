import { EventError, type EventContext, type EventMap, Handler } from "socket-ingress";
import { type App, type Draft, draft } from "./app.js";

const RUDE = /\b(darn|heck|spam)\b/i;
const BURST = 8;
const WINDOW_MS = 5_000;

/** Looks at every message before the rooms do: what a guard throws is the reply, and nothing later runs. */
export class ModerationHandler extends Handler<App> {
  readonly name = "moderation";
  readonly events = {
    message: { run: "review", input: draft, guard: true },
    disconnect: "forget",
  } satisfies EventMap<ModerationHandler, App>;
  private readonly recent = new Map<string, number[]>();

  review({ socket }: EventContext<App>, { text }: Draft): void {
    const now = Date.now();
    const times = (this.recent.get(socket.id) ?? []).filter((at) => now - at < WINDOW_MS);
    const [oldest] = times;
    if (oldest !== undefined && times.length >= BURST) {
      throw new EventError("RATE_LIMITED", "slow down a little", { retryAfterMs: WINDOW_MS - (now - oldest) });
    }
    this.recent.set(socket.id, [...times, now]);
    if (RUDE.test(text)) throw new EventError("FORBIDDEN", "please mind your words");
  }

  forget({ socket }: EventContext<App>): void {
    this.recent.delete(socket.id);
  }
}
