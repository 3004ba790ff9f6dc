import { longestTimerMs } from "../../../wire/values.js";
import type { Client } from "../../../client/client.js";
import type { EventFailure } from "../../../client/event-failure.js";
import type { OpenedState } from "../../../client/opened.js";
import { createPauses } from "../../../client/pauses.js";
import type { JoinedTopic } from "../../../client/share.js";
import { CAUGHT_UP } from "../../../wire/caught-up.js";
import { passes } from "../../../wire/codes.js";
import type { View } from "../protocol.js";

/*
 * Records are loaded, and followed by the changes of a topic:
 *
 *   out      not in the topic, or not on this connection: nothing is heard, nothing is missed without being told
 *   loading  in the topic; what is heard is kept until the records are there, and has happened to what is shown meanwhile
 *   resting  the records could not be loaded, or not in time: they are tried again after a while
 *   in step  what is shown is what there is
 *   over     lost, or closed
 *
 * The order makes it right (decision 0051): first the topic, then the records, then once more a word from the server, behind which all
 * changes have come that the records can hold. So what is heard meanwhile is put on top of them in one go, and nothing is shown that is
 * older than what was shown before.
 */

/** How many changes are kept while records are loaded. With more the records are loaded again. */
const HEARD_MAX = 10_000;

/** How soon records are loaded again that a change has left unclear, in milliseconds, unless that happens again and again. */
const AGAIN_MS = 50;

/** What {@link createFollowing} works with. */
export interface FollowingOptions<Loaded> {
  // Whatever the application is: nothing of its events is used but those of the protocol.
  readonly client: Client<any, any>;
  readonly topic: string;
  readonly load: (signal: AbortSignal) => Loaded | PromiseLike<Loaded>;
  /** The records are these. What it throws counts as a failure to load them. */
  readonly replace: (loaded: Loaded) => void;
  /** What is shown is not to be shown any more. */
  readonly forget: () => void;
  /** Something may be different. */
  readonly onChange: () => void;
}

/** The way of a list along its topic. */
export interface Following {
  /** How it is. */
  state(): OpenedState;
  /** What the server's topics begin with. */
  prefix(): string;
  /** Something happened to the records: `act` does it to those that are shown, and again to those that are being loaded. */
  hear(act: () => void): void;
  /** What happened can't be known: the records are loaded again, soon. */
  doubt(): void;
  /** The records are another one's to see: they are forgotten and loaded. */
  turn(): void;
  /** Leaves the topic. */
  close(): void;
}

/** Begins to follow. @throws TypeError if the topic is none */
export function createFollowing<Loaded>(options: FollowingOptions<Loaded>): Following {
  const { client, topic, load, replace, forget, onChange } = options;
  const pauses = createPauses();
  const over = new AbortController();
  let lost: EventFailure | undefined;
  /** Has been let into the topic. */
  let isJoined = false;
  /** In the topic, on this connection. */
  let isIn = false;
  let isLoaded = false;
  /** The records that are shown, or none, are not what there is. */
  let isDue = true;
  let failure: { readonly error: unknown } | undefined;
  let view: View = {};
  let running: { readonly controller: AbortController; readonly heard: (() => void)[]; again: boolean } | undefined;
  let isStarting = false;
  let leave = (): void => {};

  /** Resolves when all has come that was pushed to the topic before. */
  const caughtUp = async (signal: AbortSignal): Promise<void> => {
    for (;;) {
      try {
        // In the topic, however long that takes: the answer says nothing of one that is still to come back.
        const done = await client.joinTopic(topic, { signal });
        done();
        return void (await client.with({ signal }).call(CAUGHT_UP));
      } catch (failed) {
        const { code, retryAfterMs } = failed as EventFailure; // joins and calls are rejected with nothing else
        if (signal.aborted) throw failed;
        if (code === "DISCONNECTED") continue;
        // Not by us: the client is closed.
        if (code === "ABORTED") lose(failed as EventFailure);
        if (!passes(code)) throw failed;
        // What was loaded is no worse for that.
        await new Promise<void>((next) => pauses.rest(next, retryAfterMs));
      }
    }
  };
  const stop = (): void => {
    running?.controller.abort();
    running = undefined;
    pauses.end();
  };
  const run = async (): Promise<void> => {
    const controller = new AbortController();
    const { signal } = controller;
    const mine = (running = { controller, heard: [] as (() => void)[], again: false });
    try {
      const loaded = await load(signal);
      await caughtUp(signal);
      if (signal.aborted) return;
      if (mine.heard.length <= HEARD_MAX) {
        replace(loaded);
        isLoaded = true;
        for (const act of mine.heard) act();
      }
      failure = undefined;
    } catch (error) {
      if (signal.aborted) return;
      failure = { error };
    }
    running = undefined;
    if (failure) pauses.rest(begin, pauseOf(failure.error));
    else if (mine.again) pauses.rest(begin, AGAIN_MS);
    else {
      isDue = false;
      pauses.reset();
    }
    onChange();
  };
  const begin = (): void => void run();
  /** Loads, now; what is on its way may miss something. */
  const anew = (): void => {
    stop();
    isDue = true;
    onChange();
    if (isStarting) return;
    isStarting = true;
    // Several reasons may come in one turn.
    queueMicrotask(() => {
      isStarting = false;
      if (!over.signal.aborted) begin();
    });
  };
  const turn = (): void => {
    if (!isJoined) return;
    isLoaded = false;
    forget();
    anew();
  };
  const end = (): void => {
    over.abort();
    stop();
    for (const off of offs.splice(0)) off();
    leave();
  };
  const lose = (refusal: EventFailure): void => {
    if (over.signal.aborted) return;
    lost = refusal;
    isLoaded = false;
    forget();
    end();
    onChange();
  };
  const onJoined = ({ snapshot, rejoined, recovered }: JoinedTopic): void => {
    isIn = isJoined = true;
    const before = view.view;
    view = snapshot ?? {};
    if (rejoined && view.view !== before) turn();
    else if (!recovered || pauses.resting) anew();
    else onChange();
  };
  const join = (): void => {
    const joining = client.joinTopic(topic, { onJoined, onGap: anew, onLost: lose });
    leave = joining.leave;
    joining.catch((refusal: EventFailure) => {
      if (over.signal.aborted) return;
      if (!passes(refusal.code)) return lose(refusal);
      failure = { error: refusal };
      pauses.rest(join, refusal.retryAfterMs);
      onChange();
    });
  };
  /** A connection came back with its rooms: the topic may be in still, if it has no history, and nobody says so. */
  const seeIfIn = async (signal: AbortSignal): Promise<void> => {
    // Behind this answer it is known whether it has to be joined again.
    await client.with({ signal }).call(CAUGHT_UP);
    const done = await client.joinTopic(topic, { signal });
    done();
    isIn = true;
    onChange();
  };
  join();
  const offs = [
    client.onStatus(({ connected }) => {
      if (connected) return;
      isIn = false;
      onChange();
    }),
    client.onReconnect(({ recovered }) => {
      if (recovered) seeIfIn(over.signal).catch(() => {});
    }),
  ];

  return {
    state() {
      if (lost) return { status: "lost", error: lost };
      if (isLoaded && isIn && !isDue) return { status: "live" };
      if (failure) return { status: "stale", error: failure.error };
      return { status: isLoaded ? "stale" : "loading" };
    },
    prefix: () => view.prefix ?? "",
    hear(act) {
      if (running && running.heard.push(act) > HEARD_MAX) {
        running.again = true;
        running.heard.length = HEARD_MAX + 1;
      }
      if (isLoaded) act();
      onChange();
    },
    doubt() {
      isDue = true;
      if (running) running.again = true;
      else if (!pauses.resting && !isStarting) pauses.rest(begin, AGAIN_MS);
    },
    turn,
    close: end,
  };
}

/** When a failure says that it makes sense to ask again, if it does. */
function pauseOf(error: unknown): number | undefined {
  const said = (error as { retryAfterMs?: unknown } | null | undefined)?.retryAfterMs;
  // Whatever `load` throws says it: a timer that is set for longer than it can wait goes off at once.
  return typeof said === "number" ? Math.min(said, longestTimerMs) : undefined;
}
