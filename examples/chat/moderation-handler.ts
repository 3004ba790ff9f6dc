import { EventError, type EventContext, type EventMap, Handler } from "socket-ingress";
import { type App, type Draft, draft } from "./app.js";

const RUDE = /\b(darn|heck|spam)\b/i;

/** Looks at every message before the rooms do: what a guard throws is the reply, and nothing later runs. */
export class ModerationHandler extends Handler<App> {
  readonly name = "moderation";
  readonly events = {
    message: { run: "review", input: draft, guard: true },
  } satisfies EventMap<ModerationHandler, App>;

  review(_context: EventContext<App>, { text }: Draft): void {
    if (RUDE.test(text)) throw new EventError("FORBIDDEN", "please mind your words");
  }
}
