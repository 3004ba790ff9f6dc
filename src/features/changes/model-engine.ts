import type { AppServer } from "../../events/subscriber.js";
import { describeValue } from "../../wire/values.js";
import { Coalescing } from "./coalescing.js";
import { type Happening, keptAsIs, type RecordHappening, toOne } from "./happening.js";
import type { ReadDefinition } from "./model-definition.js";
import { messagesOf, type Message, type Placed, type Published, renamed } from "./publication.js";
import type { ChangeMethod, RecordId } from "./protocol.js";
import { differences } from "./shaping.js";
import type { Transactions } from "./transactions.js";
import { type Watched, Watchers } from "./watchers.js";

/** A definition, as whoever publishes records has promised that they are what it takes. */
export type AnyDefinition = ReadDefinition<unknown, AppServer>;

/** What a {@link ModelEngine} works with. */
export interface ModelEngineOptions {
  readonly name: string;
  readonly definition: AnyDefinition;
  /** The model's own topic, and that of all models. */
  readonly topics: readonly string[];
  readonly transactions: Transactions;
  /** For which variants it is published; `[undefined]` where there are none. */
  readonly variants: () => readonly (string | undefined)[];
  readonly push: (message: Message, variant: string | undefined) => void;
  /** Told of everything that goes wrong. It must not throw. */
  readonly onError: (error: unknown, method: string) => void;
}

const NOWHERE: readonly string[] = [];

/** A narrower topic, as `topics` of a model says it. */
const narrower = /^[^:/]+\/[^:/]+$/;

/**
 * What becomes of something that happened to records of one model: it is held back while a transaction is open, told to the watchers, gathered
 * for `coalesceMs`, and pushed to each variant's members as they may see it. Nothing here throws or takes time.
 */
export class ModelEngine {
  readonly name: string;
  readonly definition: AnyDefinition;
  readonly watchers: Watchers<unknown>;
  readonly #options: ModelEngineOptions;
  readonly #published: Published;
  readonly #coalescing: Coalescing | undefined;
  /** Whether the ids that were seen are strings. */
  #hasTextIds = false;
  /** What sources have taken in hand: a response that two of them see is told of once. */
  readonly #claimed = new WeakSet();
  /** What was said once; there are a handful of such messages. */
  readonly #warned = new Set<string>();

  constructor(options: ModelEngineOptions) {
    const { name, definition, topics, onError } = options;
    this.name = name;
    this.definition = definition;
    this.#options = options;
    this.watchers = new Watchers(`model "${name}"`, (error, watcher) =>
      onError(error, `watch${watcher === "" ? "" : ` ${watcher}`}`),
    );
    const { fields, serialise, mayRead, coalesceMs } = definition;
    this.#published = { name, topics, isGuarded: mayRead !== undefined, fields, serialise };
    this.#coalescing =
      coalesceMs > 0 ? new Coalescing(coalesceMs, (one) => this.#send(toOne(one), "coalesced")) : undefined;
  }

  /** Whether whoever publishes has to know what a record was. */
  get needsOld(): boolean {
    return this.definition.topics !== undefined;
  }

  /** Whether what happens here and now belongs to a transaction, whatever became of that. */
  get isInTransaction(): boolean {
    return this.#options.transactions.isInside;
  }

  /** Takes in what happened. Never throws: what does is told of under the name of the `method`. */
  happened(method: string, make: () => Happening): void {
    const { transactions } = this.#options;
    this.#guarded(method, () => {
      const happening = make();
      if (happening.each.length === 0) return;
      const kept = transactions.isOpen ? keptAsIs(happening) : happening;
      transactions.hold(() => this.#guarded(method, () => this.#release(kept, method)));
    });
  }

  /** Tells what is being gathered. */
  flush(): void {
    this.#coalescing?.flush();
  }

  /** What a record is called. @throws TypeError if that is no id, and what `id` throws */
  idOf(row: unknown): RecordId {
    const id: unknown = this.definition.id(row);
    if (isId(id)) {
      this.#hasTextIds = typeof id === "string";
      return id;
    }
    throw new TypeError(`model "${this.name}": id must return a string or a number, got ${describeValue(id)}`);
  }

  /** What a record is called that a path names: a number if it looks like one, unless the model's ids are strings. */
  readId(text: string): RecordId {
    const number = Number(text);
    return !this.#hasTextIds && Number.isSafeInteger(number) && String(number) === text ? number : text;
  }

  /** Whether a source is the first to see this request, response or statement. */
  claim(seen: object): boolean {
    if (this.#claimed.has(seen)) return false;
    this.#claimed.add(seen);
    return true;
  }

  /** What somebody does for the model went wrong. */
  report(error: unknown, method: string): void {
    this.#options.onError(error, method);
  }

  /** Tells the error subscribers of something once, however often it happens. */
  warn(message: string, method: string): void {
    if (this.#warned.has(message)) return;
    this.#warned.add(message);
    this.report(new TypeError(message), method);
  }

  #guarded(method: string, fn: () => void): void {
    try {
      fn();
    } catch (error) {
      this.#options.onError(error, method);
    }
  }

  #release(happening: Happening, method: string): void {
    for (const part of this.#parts(happening)) {
      if (this.#coalescing === undefined || part.many || part.method === "GET") {
        // What was gathered came before it.
        this.#coalescing?.flush();
        this.#send(part, method);
      } else for (const kept of keptAsIs(part).each) this.#coalescing.add(kept);
    }
    if (happening.method !== "GET")
      for (const one of happening.each) this.watchers.tell(() => watchedOf(happening, one));
  }

  /** Records whose ids have changed are told by themselves, each as two. */
  #parts(happening: Happening): Happening[] {
    const parts = happening.each.map((one) => {
      const { id, row, old } = one;
      if (row === undefined || old === undefined) return [toOne(one)];
      const oldId = this.idOf(old);
      return oldId === id ? [toOne(one)] : renamed(one, oldId);
    });
    return parts.some(({ length }) => length > 1) ? parts.flat() : [happening];
  }

  #send(happening: Happening, method: string): void {
    const { variants, push } = this.#options;
    const ts = Date.now();
    const { method: kind, many, each } = happening;
    const placed = { method: kind, many, each: each.map((one) => this.#placed(one, method)) };
    for (const variant of variants())
      this.#guarded(method, () => {
        for (const message of messagesOf(this.#published, placed, variant, ts))
          this.#guarded(method, () => push(message, variant));
      });
  }

  #placed({ method, id, row, old }: RecordHappening, from: string): Placed {
    return { method, id, row, old, now: this.#narrower(row, from), before: this.#narrower(old, from) };
  }

  /** The narrower topics of a record; without them it is told to the others at least. */
  #narrower(row: unknown, method: string): readonly string[] {
    const { topics } = this.definition;
    if (topics === undefined || row === undefined) return NOWHERE;
    const [own] = this.#published.topics;
    let found = NOWHERE;
    this.#guarded(method, () => {
      const given: unknown = topics(row);
      if (!Array.isArray(given) || !given.every((topic) => typeof topic === "string" && narrower.test(topic)))
        throw new TypeError(
          `model "${this.name}": topics must return a list of field/value, such as "author/7", without further "/" or ":", got ${describeValue(given)}`,
        );
      found = [...new Set(given)].map((topic) => `${own}/${topic}`);
    });
    return found;
  }
}

/** What stands for a record's id. */
export function isId(id: unknown): id is RecordId {
  return (typeof id === "string" && id !== "") || Number.isFinite(id);
}

const actions: Readonly<Record<Exclude<ChangeMethod, "GET">, Watched<unknown>["action"]>> = {
  POST: "created",
  PUT: "updated",
  PATCH: "updated",
  DELETE: "deleted",
};

function watchedOf({ method }: Happening, { id, row, old }: RecordHappening): Watched<unknown> {
  const action = actions[method as Exclude<ChangeMethod, "GET">]; // asked for no other
  const changes = action === "updated" && old !== undefined ? differences(old, row) : undefined;
  return { action, method, id, row: action === "deleted" ? old : row, old, changes } as Watched<unknown>;
}
