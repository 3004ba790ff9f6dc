import { writeLog } from "../../lifecycle/log.js";
import type { Logger } from "../../lifecycle/logger.js";
import { longestTimerMs, printable } from "../../wire/values.js";
import type { Saving } from "./protocol.js";

/** Up to which of its changes a replica, named by its life, has been taken in: they are counted. */
export type UpTo = ReadonlyMap<string, number>;

/** What a {@link Keeper} works with. */
export interface KeeperOptions {
  readonly autosaveMs: number;
  readonly maxUnsavedMs: number;
  /** More bytes than this are not kept as they came, but as the document they led to. */
  readonly maxBytes: number;
  readonly log: Logger;
  append(update: Uint8Array): Promise<void>;
  merge(updates: readonly Uint8Array[]): Uint8Array;
  /** The whole document. */
  whole(): Uint8Array;
  /** There is another state. */
  onState(state: Saving): void;
  /** Of these everything up to there is in the store. */
  onSaved(upTo: UpTo): void;
}

interface Taken {
  readonly seq: number;
  readonly at: number;
  readonly update: Uint8Array;
}

/** More updates than this are merged to one. */
const LIST_MAX = 1_024;

/** The pause after the first failure, and the longest, in milliseconds. */
const RETRY_MS = { first: 500, most: 30_000 };

/**
 * What of one document is not in the store yet, and when it is put there. Changes taken here are saved after a pause; those that another
 * node has taken are its to save, and saved here if it has not said so in twice the time it has (decision 0079). One save
 * runs at a time.
 *
 * | state    | what there is                     | what comes next                                          |
 * | -------- | --------------------------------- | -------------------------------------------------------- |
 * | `saved`  | nothing                           |                                                          |
 * | `saving` | changes that wait, or are on the way | a save, when the pause is over; at once for the last leave |
 * | `failed` | everything that could not be saved | the next try, later each time                            |
 */
export class Keeper {
  readonly #options: KeeperOptions;
  /** To be saved here, and what it goes up to. */
  #own: Uint8Array[] = [];
  #upTo = new Map<string, number>();
  /** Taken by others, by their lives. */
  readonly #others = new Map<string, Taken[]>();
  /** On its way to the store. */
  #flying: Uint8Array | undefined;
  #bytes = 0;
  #firstAt = 0;
  #lastAt = 0;
  #failures = 0;
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = 0;
  #told: Saving = "saved";
  #isOver = false;
  /** More bytes than this lead to the whole document: not with each change, where that has about as many. */
  #most: number;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#most = options.maxBytes;
  }

  get state(): Saving {
    if (this.#failures > 0) return "failed";
    return this.isClean ? "saved" : "saving";
  }

  /** Nothing is missing in the store, as far as is known. */
  get isClean(): boolean {
    return this.#own.length === 0 && this.#others.size === 0 && !this.#running;
  }

  /** How many bytes wait. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A change was taken here: the `seq`th of this life. */
  take(life: string, seq: number, update: Uint8Array): void {
    this.#lastAt = performance.now();
    if (this.#own.length === 0) this.#firstAt = this.#lastAt;
    this.#own.push(update);
    this.#upTo.set(life, seq);
    this.#grown(update.byteLength);
  }

  /** Another node has taken a change. */
  takeOther(life: string, seq: number, update: Uint8Array): void {
    const list = this.#others.get(life) ?? [];
    this.#others.set(life, list);
    list.push({ seq, at: performance.now(), update });
    if (list.length > LIST_MAX) {
      const merged = this.#options.merge(list.map((one) => one.update));
      const { at } = list[0] as Taken; // one of many
      list.splice(0, list.length, { seq, at, update: merged });
      this.#count();
    }
    this.#grown(update.byteLength);
  }

  /** Another node has saved what this one had taken up to `seq`. */
  savedElsewhere(life: string, seq: number): void {
    const rest = (this.#others.get(life) ?? []).filter((one) => one.seq > seq);
    if (rest.length > 0) this.#others.set(life, rest);
    else this.#others.delete(life);
    this.#count();
    this.#changed();
  }

  /** All that is not in the store for certain, for another node to keep; nothing if that is nothing. */
  pending(): Uint8Array | undefined {
    const others = [...this.#others.values()].flat().map(({ update }) => update);
    const all = [...(this.#flying ? [this.#flying] : []), ...this.#own, ...others];
    return all.length > 0 ? this.#options.merge(all) : undefined;
  }

  /**
   * Saves all there is, what others have taken included, as often as it takes while nothing fails.
   *
   * @returns whether nothing is left
   */
  async settle(): Promise<boolean> {
    while (!this.isClean) {
      // Whoever waits for the same save finds another one running when it is over.
      await (this.#running ?? this.#save(true));
      if (this.#failures > 0 && !this.#running) return false;
    }
    return true;
  }

  /** No save begins any more by itself, whatever becomes of the one that runs. */
  stop(): void {
    this.#isOver = true;
    this.#clear();
  }

  #clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #grown(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.#most) {
      const whole = this.#options.whole();
      this.#most = Math.max(this.#options.maxBytes, 2 * whole.byteLength);
      this.#adopt(() => true, whole);
    } else if (this.#own.length > LIST_MAX) {
      // The whole document is made in a tenth of the time that merging takes, where it is no larger than what led to it.
      const whole = this.#options.whole();
      this.#own = [whole.byteLength <= sizeOf(this.#own) ? whole : this.#options.merge(this.#own)];
      this.#count();
    }
    this.#changed();
  }

  /** What others have taken, as far as `isDue`, is to be saved here. */
  #adopt(isDue: (taken: Taken) => boolean, instead?: Uint8Array): void {
    for (const [life, list] of this.#others) {
      const due = list.filter(isDue);
      const last = due.at(-1);
      if (!last) continue;
      this.#upTo.set(life, last.seq);
      this.#own.push(...due.map(({ update }) => update));
      const rest = list.filter((taken) => !isDue(taken));
      if (rest.length > 0) this.#others.set(life, rest);
      else this.#others.delete(life);
    }
    if (instead) this.#own = [instead];
    this.#count();
  }

  #count(): void {
    this.#bytes = sizeOf([...this.#own, ...[...this.#others.values()].flat().map(({ update }) => update)]);
  }

  /** @param all what others have taken, due or not */
  #save(all: boolean): Promise<void> {
    this.#clear();
    const now = performance.now();
    this.#adopt(({ at }) => all || at + this.#orphanedMs <= now);
    const update = this.#own.length === 1 ? this.#own[0] : this.#options.merge(this.#own);
    const upTo = this.#upTo;
    this.#flying = update as Uint8Array; // one is there
    this.#own = [];
    this.#upTo = new Map();
    return (this.#running = this.#append(this.#flying, upTo));
  }

  async #append(update: Uint8Array, upTo: Map<string, number>): Promise<void> {
    const { append, onSaved, log } = this.#options;
    try {
      await append(update);
      this.#failures = 0;
      onSaved(upTo);
    } catch (error) {
      if (this.#own.length === 0) this.#firstAt = performance.now();
      this.#own.unshift(update);
      this.#upTo = new Map([...upTo, ...this.#upTo]);
      this.#failures++;
      writeLog(log, "error", { err: printable(error) }, "a document could not be saved; it is kept, and tried again");
    }
    this.#running = this.#flying = undefined;
    this.#count();
    this.#changed();
  }

  /** Something has come or gone: the next save has its time, and who wants to know the state is told. */
  #changed(): void {
    if (!this.#running) this.#schedule();
    const { state } = this;
    if (state === this.#told) return;
    this.#told = state;
    this.#options.onState(state);
  }

  #schedule(): void {
    // One that is too early sees that it is: a timer less for each key that is pressed.
    if (this.#timer && !this.isClean && this.#failures === 0 && this.#timerAt <= this.#dueAt) return;
    this.#clear();
    if (this.isClean || this.#isOver) return;
    const inMs = this.#failures > 0 ? this.#retryMs : this.#dueAt - performance.now();
    if (inMs === Infinity) return;
    this.#timerAt = performance.now() + inMs;
    this.#timer = setTimeout(() => this.#onTimer(), Math.min(longestTimerMs, Math.max(0, Math.ceil(inMs))));
  }

  #onTimer(): void {
    this.#timer = undefined;
    if (this.#failures > 0 || this.#dueAt <= performance.now()) void this.#save(false);
    else this.#schedule();
  }

  get #retryMs(): number {
    return Math.min(RETRY_MS.most, RETRY_MS.first * 2 ** (this.#failures - 1));
  }

  get #dueAt(): number {
    const { autosaveMs, maxUnsavedMs } = this.#options;
    const own = this.#own.length > 0 ? Math.min(this.#lastAt + autosaveMs, this.#firstAt + maxUnsavedMs) : Infinity;
    const others = [...this.#others.values()].map(([first]) => (first as Taken).at + this.#orphanedMs); // none is empty
    return Math.min(own, ...others);
  }

  get #orphanedMs(): number {
    return 2 * this.#options.maxUnsavedMs;
  }
}

function sizeOf(updates: readonly Uint8Array[]): number {
  return updates.reduce((sum, { byteLength }) => sum + byteLength, 0);
}
