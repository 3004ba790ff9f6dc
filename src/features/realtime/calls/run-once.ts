import { createHash } from "node:crypto";
import type { Logger } from "../../../lifecycle/logger.js";
import { isForgotten } from "../../../wire/codes.js";
import { type EventError, withoutStack } from "../../../wire/event-error.js";
import { isFailure } from "../../../wire/failure.js";
import type { CallKey, CallStore, CallTimes, Claim } from "./call-store.js";

/** What a {@link RunOnce} is made of. */
export interface RunOnceOptions extends CallTimes {
  readonly store: CallStore;
  readonly logger: Logger;
}

/** A call that this node has to do with. */
interface Running {
  identity: string;
  readonly requestId: string;
  readonly digest: string;
  /** `asking` until the store has said who runs it. */
  state: "asking" | "running";
  /** Resolves when it is asking no more. */
  readonly asked: Promise<void>;
  readonly told: () => void;
  reply: Promise<unknown>;
}

const none: Promise<undefined> = Promise.resolve(undefined);

/** How long a node waits before it asks again whether another one is done, in milliseconds: at first, and at most. */
const FIRST_LOOK_MS = 20;
const LOOK_MS = 500;

/**
 * Runs a call once, however often and on however many nodes it is repeated under its request id by the same identity: everybody gets the
 * answer of the one run, or hears `TIMEOUT` if the node that ran it died with it. A failure that says nothing about the work is not kept,
 * so the call may run again.
 */
export class RunOnce {
  readonly #options: RunOnceOptions;
  /** What runs here, by identity and request id. */
  readonly #running = new Map<string, Running>();
  readonly #writes = new Set<Promise<void>>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #shared = 0;
  #closed = false;

  constructor(options: RunOnceOptions) {
    this.#options = options;
  }

  /** How many calls were answered with the run of an earlier one. */
  get shared(): number {
    return this.#shared;
  }

  /** How many calls are known: those that a store in memory keeps, or else those that run here. */
  get size(): number {
    const { stats } = this.#options.store as { readonly stats?: { readonly requests?: number } };
    return stats?.requests ?? this.#running.size;
  }

  /**
   * The reply to a call: that of `run`, or of the run that there was.
   *
   * @throws EventError `CONFLICT` for an id that was used for something else, `TIMEOUT` for a run that died or whose answer is not kept,
   * `OVERLOADED` while the store can't be reached
   */
  async run(key: CallKey, event: string, args: readonly unknown[], run: () => Promise<unknown>): Promise<unknown> {
    const digest = digestOf(event, args);
    let here = this.#running.get(idOf(key));
    // What is asked for under the same id, with other arguments, may come to nothing.
    while (here !== undefined && here.digest !== digest && here.state === "asking") {
      await here.asked;
      here = this.#running.get(idOf(key));
    }
    if (here !== undefined) {
      if (here.digest !== digest) throw usedForOther();
      this.#shared++;
      return here.reply;
    }
    let told = (): void => undefined;
    const asked = new Promise<void>((resolve) => (told = resolve));
    const running: Running = { ...keyOf(key), digest, state: "asking", asked, told, reply: none };
    this.#running.set(idOf(running), running);
    running.reply = this.#ask(running, run).finally(() => {
      if (this.#running.get(idOf(running)) === running) this.#running.delete(idOf(running));
      running.told();
    });
    return running.reply;
  }

  /** Somebody has said who they are: what was theirs before is theirs now, running calls included. Never rejects. */
  carry(from: string, to: string): void {
    for (const [id, running] of this.#running) {
      if (running.identity !== from) continue;
      running.identity = to;
      this.#running.delete(id);
      this.#running.set(idOf(running), running);
    }
    this.#write(async () => this.#options.store.carry(from, to));
  }

  /** Waits for what is still to be written. What runs goes on, and is not waited for. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    await Promise.all(this.#writes);
  }

  async #ask(running: Running, run: () => Promise<unknown>): Promise<unknown> {
    for (let lookMs = FIRST_LOOK_MS; ; lookMs = Math.min(2 * lookMs, LOOK_MS)) {
      const claim = await this.#claim(running);
      switch (claim.kind) {
        case "run":
          running.state = "running";
          running.told();
          return this.#start(running, claim.token, run);
        case "answered":
          this.#shared++;
          return claim.answer === "" ? undefined : (JSON.parse(claim.answer) as unknown);
        case "other":
          throw usedForOther();
        case "died":
          throw withoutStack(
            "TIMEOUT",
            "the server that ran this call is gone; the work may or may not have been done",
          );
        case "unkept":
          throw withoutStack("TIMEOUT", "this call was answered, and the answer is not kept any more");
        case "running":
          if (this.#closed) throw withoutStack("SHUTTING_DOWN", "this server is shutting down");
          await this.#pause(lookMs);
      }
    }
  }

  async #claim(running: Running): Promise<Claim> {
    try {
      return await this.#options.store.claim(keyOf(running), running.digest, this.#options);
    } catch (cause) {
      this.#options.logger.error({ err: cause }, "the store of calls can't be reached; callers are told to come back");
      throw withoutStack("OVERLOADED", "who runs this call can't be told at the moment", {
        retryAfterMs: 1_000,
        cause,
      });
    }
  }

  async #start(running: Running, token: string, run: () => Promise<unknown>): Promise<unknown> {
    const { store, leaseMs } = this.#options;
    const renewal = setInterval(() => {
      this.#write(async () => void (await store.renew(keyOf(running), token, this.#options)));
    }, leaseMs / 3);
    renewal.unref();
    try {
      const answer = await run();
      const current = keyOf(running);
      if (isFailure(answer) && saysNothing(answer.error.code)) this.#write(async () => store.forget(current, token));
      else this.#write(async () => store.answer(current, token, textOf(answer), this.#options));
      return answer;
    } catch (thrown) {
      this.#write(async () => store.answer(keyOf(running), token, undefined, this.#options));
      throw thrown;
    } finally {
      clearInterval(renewal);
    }
  }

  #write(write: () => Promise<void>): void {
    const done = (async () => {
      try {
        await write();
      } catch (error) {
        this.#options.logger.error({ err: error }, "the store of calls can't be written");
      }
    })();
    this.#writes.add(done);
    void done.then(() => this.#writes.delete(done));
  }

  async #pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        resolve();
      }, ms);
      timer.unref();
      this.#timers.add(timer);
    });
  }
}

function idOf({ identity, requestId }: CallKey): string {
  return `${identity.length}:${identity}${requestId}`;
}

function keyOf({ identity, requestId }: CallKey): CallKey {
  return { identity, requestId };
}

/** A failure that came before the work, or with the connection, is no answer: kept, it would answer every retry. */
function saysNothing(code: string): boolean {
  return isForgotten(code) || code === "DISCONNECTED";
}

/** An answer as it is kept; undefined for one that JSON can't hold. */
function textOf(answer: unknown): string | undefined {
  if (answer === undefined) return "";
  try {
    return hasBinary(answer, 0) ? undefined : JSON.stringify(answer);
  } catch {
    return undefined;
  }
}

function hasBinary(value: unknown, depth: number): boolean {
  if (typeof value !== "object" || value === null || depth > 100) return depth > 100;
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value) || value instanceof Blob) return true;
  return Object.values(value).some((part) => hasBinary(part, depth + 1));
}

function digestOf(event: string, args: readonly unknown[]): string {
  return createHash("sha256").update(asText(event, args)).digest("base64");
}

function asText(event: string, args: readonly unknown[]): string {
  try {
    // What JSON can't hold (a BigInt of a custom parser) stands as what it says of itself.
    return JSON.stringify([event, args], (_key, value: unknown) => (typeof value === "bigint" ? `${value}n` : value));
  } catch {
    throw withoutStack("INVALID_INPUT", "what is nested as deeply as this can't be called under a request id");
  }
}

function usedForOther(): EventError {
  return withoutStack("CONFLICT", "this request id was used for another event, or with other arguments");
}
