import type { Client } from "../../../client/client.js";
import { misfit } from "../../../client/misfit.js";
import { createOpened, type Opened, type OpenedState, type Opening } from "../../../client/opened.js";
import { ALL, CHANGE, type Change, ENTERED, type Entered, VIEW, type ViewChanged } from "../protocol.js";
import { createFollowing, type Following } from "./following.js";
import { createOptimisticRows } from "./optimistic-rows.js";
import { createRows } from "./rows.js";

/** What a list shows. */
export interface ListState<Row> extends OpenedState {
  /** The rows, filtered and sorted; the same array until one of them changes, and each row the same object until it does. Not to be written to. */
  readonly rows: readonly Row[];
}

/** What {@link openList} is given. */
export interface ListOptions<Row> {
  /** The topic whose changes it follows: that of a model (`post`, in whatever case), or a narrower one (`post/author/7`). */
  topic: string;
  /**
   * Asks for the rows as they are now: with `fetch` or `client.call`, from the source that changes are published of and not from a cache, which
   * may be behind. It is called once the topic is joined; again when changes were missed that are not to be had any more, when a change did
   * not say enough, and when the user has changed; and after a failure, first after a second, then less and less often, down to
   * every 30 seconds, or when the failure says (`retryAfterMs`). One call runs at a time, and changes that come while it does are not lost.
   *
   * The signal aborts when the answer is not wanted any more.
   */
  load: (context: { readonly signal: AbortSignal }) => readonly Row[] | PromiseLike<readonly Row[]>;
  /** What a row is called: the same as the model's `id` on the server. @default the member `id` */
  id?: (row: Row) => string | number;
  /**
   * Which rows are shown. It looks at the row and at nothing else: it is asked when a row comes or changes, and what it turns down is
   * not kept. Filter `rows` for what a user may switch on and off.
   */
  filter?: (row: Row) => unknown;
  /** In which order. Without it, rows stand as they were loaded, and new ones behind them. */
  sort?: (one: Row, other: Row) => number;
}

/** Rows that follow the records of a model: what {@link openList} returns. */
export interface List<Row> extends Opened<ListState<Row>> {
  /**
   * Shows a row before the server has it, in the place of the one with its id, or as a new one, which needs an id of its own until it is
   * saved. It gives way to the server's row when a change or a load brings that; goes when the promise is rejected, which is a logged warning; and if the promise
   * resolves with a row, a new one with its real id for instance, that is shown from then on. What was saved and never came as a
   * change goes after 5 s.
   *
   * @returns the promise it was given
   * @throws TypeError at once if the row has no id
   *
   * @example
   * await list.optimistically({ ...post, title }, save(post.id, { title }));
   */
  readonly optimistically: <Saved extends PromiseLike<unknown>>(row: Row, saved: Saved) => Saved;
}

/**
 * Opens a list: rows that are loaded, and then follow the changes of a topic, in order and without a gap, across reconnects.
 *
 * Its `status` is `loading` until the rows were there for the first time; `live` while they are what the server has; `stale` without a connection,
 * while they are loaded again, and when they could not be loaded, with the `error`; `lost` when the topic was refused or taken away, with the failure as
 * `error` and without rows. A lost list stays so: open another one, after a login for instance. `ready` resolves when it is
 * `live` for the first time: what is written from then on arrives.
 *
 * When the server shows another view to this client than before, since its user has changed, the list is empty until
 * the rows are loaded that the new one may see.
 *
 * @typeParam Row - a record as this client may see it
 * @throws TypeError at once when the topic is not a non-empty string, or `load` no function
 *
 * @example
 * const list = openList<Post>(client, { topic: "post", load: () => fetch("/posts").then((r) => r.json()) });
 * list.subscribe(({ rows, status }) => render(rows, status));
 */
// Whatever the application is: of its events, a list uses only those of the changes.
export function openList<Row extends object>(client: Client<any, any>, options: ListOptions<Row>): List<Row> {
  const { topic: given, load, filter, sort, id = (row: Row) => (row as { id?: unknown }).id } = options;
  // As the server spells it: models are in lower case.
  const topic = typeof given === "string" ? given.replace(/^[^/]*/, (part) => part.toLowerCase()) : given;
  if (typeof load !== "function") throw misfit("`load` of a list", "a function", load);
  const { logger } = client;
  const name = `the list of "${topic}"`;

  const rows = createRows<Row>({ id, filter, sort, logger });
  const early = createOptimisticRows<Row>({
    read(value) {
      const key = rows.keyOf(value);
      return key === undefined ? undefined : [key, value as Row]; // what has an id like a row is one
    },
    onChange: () => changed(),
    onRolledBack: (error) => logger.warn(`socket-ingress: a row of ${name} was not saved, and is taken back`, error),
  });
  const { opened, changed }: Opening<ListState<Row>> = createOpened<ListState<Row>>({
    logger,
    name,
    look: (): ListState<Row> => ({ rows: rows.show(early.shown), ...following.state() }),
    onClose() {
      for (const off of offs) off();
      early.clear();
      following.close();
    },
  });
  const following: Following = createFollowing<readonly Row[]>({
    client,
    topic,
    load(signal) {
      early.loading();
      return load({ signal });
    },
    replace(loaded) {
      if (!Array.isArray(loaded)) throw misfit("what `load` of a list gives", "an array of rows", loaded);
      rows.replace(loaded);
      early.loaded();
    },
    forget() {
      rows.replace([]);
      early.clear();
    },
    onChange: changed,
  });

  /** Without the case of a prefix and a model, which the server writes as it declares them. */
  const spelt = (name: string): string => {
    const [head = ""] = name.slice(following.prefix().length).split("/", 1);
    const length = following.prefix().length + head.length;
    return name.slice(0, length).toLowerCase() + name.slice(length);
  };
  const isOwn = (told: unknown): boolean => typeof told === "string" && spelt(told) === spelt(topic);

  const hear = (change: unknown): void => {
    if (!isChange(change)) return logger.warn(`socket-ingress: the server sent a malformed "${CHANGE}"`, change);
    const [model, ...narrowed] = spelt(topic).slice(following.prefix().length).split("/");
    // Another model's, another narrower topic's, or of what was only read.
    if (![change.model, ALL].includes(model as string) || !(change.topic === undefined || isOwn(change.topic))) return;
    if (change.method === "GET") return;
    let isNew = true;
    following.hear(() => {
      for (const key of rows.apply(change, narrowed.length > 0)) {
        if (key === undefined) following.doubt();
        // Not when it is done to rows that were loaded meanwhile: what is shown early by then may be newer.
        else if (isNew) early.giveWay(key);
      }
      isNew = false;
    });
  };
  const offs = [
    client.on(CHANGE, hear),
    client.on(ENTERED, (told: unknown) => {
      const entered = told as Partial<Entered> | null | undefined; // looked at below
      if (isOwn(entered?.topic) && Array.isArray(entered?.ids)) following.hear(() => rows.enter(entered as Entered));
    }),
    client.on(VIEW, (told: unknown) => {
      if (isOwn((told as Partial<ViewChanged> | null | undefined)?.topic)) following.turn();
    }),
  ];

  return {
    ...opened,
    optimistically(row, saved) {
      early.add(rows.neededKeyOf(row), row, saved);
      changed();
      return saved;
    },
  };
}

/** The server may be another version, or none of ours. */
function isChange(value: unknown): value is Change {
  const { model, method, many, payload } = (value ?? {}) as Partial<Change>;
  return (
    typeof model === "string" && typeof method === "string" && (many === true ? Array.isArray(payload) : many === false)
  );
}
