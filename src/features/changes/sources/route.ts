import { AsyncLocalStorage, AsyncResource } from "node:async_hooks";
import { type Happening, type RecordHappening, toOne } from "../happening.js";
import { asRecord, checkNames } from "../../../wire/option-names.js";
import { describeValue } from "../../../wire/values.js";
import type { Model } from "../model.js";
import type { ChangeMethod, RecordId } from "../protocol.js";
import { type Before, Source, type SourceOptions } from "./source.js";

/** How the routes of a model are read. */
export interface RouteOptions<Row = unknown> extends SourceOptions<Row> {
  /** The parameter of a route that names the record. A `DELETE` whose path goes on behind it is not told. @default "id", else the one that the path ends with */
  param?: string;
}

/** What a route has answered. */
export interface Answered {
  readonly method: string;
  readonly status: number;
  /** What it answered with; `undefined` if that was nothing, or can't be seen. */
  readonly body: unknown;
  /** The parameters of the route, now that it is known, and the path: what the request calls the record. */
  readonly params: unknown;
  readonly path: string;
  readonly looked: Looked;
}

/** What a request calls its record. */
export interface Named {
  readonly id: string | undefined;
  /** Whether its path goes on behind that, as `/posts/7/comments/9` does: then it is about something of the record. */
  readonly goesOn: boolean;
}

/** What was found out before a request was handled, and about which record. */
export interface Looked {
  readonly id: string | undefined;
  readonly before: Before;
}

const nothing: Before = { known: false };

/** Nothing was to be found out. */
export const unlooked: Looked = { id: undefined, before: nothing };

/**
 * The routes of one model, whatever serves them: what a request is about before it is handled, and what its answer says. The answer has to be
 * the record, or a list of records; that of a `DELETE` may be anything.
 */
export class Route {
  readonly #source: Source;
  readonly #methods: ReadonlySet<string>;
  readonly #param: string;

  /** @throws TypeError as a {@link Source} does */
  constructor(what: string, model: Model<unknown>, options: RouteOptions = {}) {
    checkNames(what, asRecord(what, options), ["loadOld", "param"]);
    const { loadOld, param = "id" } = options;
    if (typeof param !== "string" || param === "")
      throw new TypeError(`${what}: param must be a non-empty string, got ${describeValue(param)}`);
    this.#source = new Source(what, model, loadOld);
    this.#methods = new Set(this.#source.engine.definition.methods);
    this.#param = param;
  }

  /** Whether such requests are followed, and this is the first to follow this one. */
  takes(method: string, request: object): boolean {
    return this.#methods.has(method) && this.#source.engine.claim(request);
  }

  /** Whether something is to be found out before a request is handled. */
  asks(method: string): boolean {
    return this.#source.asks && isWrite(method);
  }

  /** What the record is that a request is about, before it is handled. Never rejects. */
  async look(id: string | undefined): Promise<Looked> {
    return id === undefined ? unlooked : { id, before: await this.#source.load(this.#source.engine.readId(id)) };
  }

  /**
   * What a request calls its record, as its route has it: the parameter, or another one that the path ends with. Without parameters, as before
   * the route is known, it is the last part of the path.
   */
  named(params: unknown, path: string): Named {
    const values = new Map(typeof params === "object" && params !== null ? Object.entries(params) : []);
    const id: unknown = values.get(this.#param);
    const last = lastOf(path);
    if (typeof id === "string" && id !== "") return { id, goesOn: last !== undefined && last !== id };
    return { id: params === undefined || [...values.values()].includes(last) ? last : undefined, goesOn: false };
  }

  /** What is to be told when an answer has left, by a response that knows nothing of the transaction in which it was given. */
  kept<Args extends unknown[]>(tell: (...args: Args) => void): (...args: Args) => void {
    return this.#source.engine.isInTransaction ? AsyncResource.bind(tell) : tell;
  }

  /** The answer has left: what it says is published at the end of this turn, or now in a transaction. Never throws. */
  answered(answer: Answered): void {
    const { method, status } = answer;
    if (status < 200 || status > 299 || !this.#methods.has(method)) return;
    if (this.#source.engine.isInTransaction) this.#publish(answer);
    else later(() => this.#publish(answer));
  }

  #publish(answer: Answered): void {
    const { engine, what } = this.#source;
    const { method, body } = answer;
    const kind = method as ChangeMethod; // it is among those that a model may take
    if (Array.isArray(body)) return engine.happened(what, () => this.#many(kind, body));
    const own = this.#source.idOf(body);
    const before = this.#beforeOf(answer, own);
    if (kind === "DELETE") return this.#deleted(answer, own, before);
    const old = before.known ? before.row : undefined;
    if (own !== undefined) return engine.happened(what, () => toOne({ method: kind, id: own, row: body, old }));
    void this.#reload(kind, this.#called(this.#namedBy(answer).id, before), old);
  }

  /** What was found out may be of another record: before its route is known, a request is taken to be about what its path ends with. */
  #beforeOf(answer: Answered, own: RecordId | undefined): Before {
    const { method, looked } = answer;
    const isToBeKnown = this.#source.engine.needsOld && isWrite(method);
    if (looked === unlooked && !isToBeKnown) return nothing;
    const { id, goesOn } = this.#namedBy(answer);
    const isNamed = looked.id === id && !(goesOn && own !== undefined);
    if (isNamed || (own !== undefined && String(own) === looked.id)) return looked.before;
    if (isToBeKnown)
      this.#source.warn(
        "a path that does not end with the record's id does not say in time what the record was; put it in front of the route itself",
      );
    return nothing;
  }

  #deleted(answer: Answered, own: RecordId | undefined, before: Before): void {
    const { engine, what } = this.#source;
    const { body } = answer;
    const named = this.#namedBy(answer);
    if (named.goesOn)
      return this.#source.warn(
        "a DELETE whose path goes on behind the record's id is taken to be of something of the record, and is not told; if the id is another parameter, name it as param",
      );
    const called = own ?? this.#called(named.id, before);
    const old = (before.known ? before.row : undefined) ?? (own === undefined ? undefined : body);
    // Asked for, and there was none: nothing has gone.
    if (called === undefined || (before.known && old === undefined)) return;
    engine.happened(what, () => toOne({ method: "DELETE", id: called, row: undefined, old }));
  }

  #namedBy({ params, path }: Answered): Named {
    return this.named(params, path);
  }

  #many(method: ChangeMethod, rows: readonly unknown[]): Happening {
    const { engine } = this.#source;
    if (engine.needsOld && (method === "PUT" || method === "PATCH"))
      this.#source.warn("a list was written, of whose records it is not known what they were");
    const each = rows.map((row): RecordHappening => {
      const id = engine.idOf(row);
      return method === "DELETE" ? { method, id, row: undefined, old: row } : { method, id, row, old: undefined };
    });
    return { method, many: true, each };
  }

  #called(id: string | undefined, before: Before): RecordId | undefined {
    const known = before.known && before.row !== undefined ? this.#source.idOf(before.row) : undefined;
    return known ?? (id === undefined ? undefined : this.#source.engine.readId(id));
  }

  /** The answer does not say what was written: it is looked up, if it can be. Never rejects. */
  async #reload(method: ChangeMethod, id: RecordId | undefined, old: unknown): Promise<void> {
    const { engine, what } = this.#source;
    const isNamed = id !== undefined && isWrite(method);
    const now = isNamed ? await this.#source.load(id) : nothing;
    const row = now.known ? now.row : undefined;
    if (row === undefined) this.#source.warn("an answer must be the record, or what was written can't be told");
    else engine.happened(what, () => toOne({ method, id: engine.idOf(row), row, old }));
  }
}

const waiting: (() => void)[] = [];

// Not in the context of the first that waits: nothing that waits is in a transaction.
const atRoot = AsyncLocalStorage.snapshot();

/** Answers of one turn are published together: one after the other they would cost several times as much, each finding nothing at hand. */
function later(publish: () => void): void {
  if (waiting.push(publish) > 1) return;
  setImmediate(() => {
    const together = waiting.splice(0);
    atRoot(() => {
      for (const each of together) each();
    });
  });
}

function isWrite(method: string): boolean {
  return method === "PUT" || method === "PATCH" || method === "DELETE";
}

function lastOf(path: string): string | undefined {
  const last = path
    .split("?", 1)[0]
    ?.split("/")
    .findLast((part) => part !== "");
  try {
    return last && decodeURIComponent(last);
  } catch {
    return last;
  }
}
