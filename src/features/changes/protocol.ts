/**
 * What the changes of records look like on the wire. Types and constants only: this file is shared with browsers. A change is a plain
 * event with one argument, for any Socket.IO client; positions, replays and gaps are those of a realtime topic with a history.
 *
 * Its topics are the model's name in lower case (`post`), one of its narrower topics (`post/author/7`), and {@link ALL}; behind the
 * `prefix` of the server, if it has one. A connection is told of a change once, however many of its topics the change goes to, so a
 * list that follows one of several topics goes by these rules:
 *
 * - a change with a `topic` is for the lists of that topic alone;
 * - any other is for every list of its model, and of {@link ALL}; but a list of a narrower topic takes from it only records that it has,
 *   or that {@link ENTERED} has named for that topic before.
 */

/** Server to client: `(change: Change)`. Something happened to a record, or to several, of a model whose topic the client is in. */
export const CHANGE = "change";

/**
 * Server to client: `(entered: Entered)`. Records have come into a narrower topic; directly after this the change comes that made it so.
 * Who is in one topic alone has no need of it.
 */
export const ENTERED = "change:entered";

/**
 * Server to client: `(view: ViewChanged)`. Who the client is has changed, by a login for instance, and with it what it is shown of a topic:
 * what it has of that is another one's, and is to be asked for anew.
 */
export const VIEW = "change:view";

/** The topic that every change goes to; its members may read all models. */
export const ALL = "all";

/** What happened, as the method of a route would say it: `PATCH` is what `updated` publishes, `GET` only what a route was told to. */
export type ChangeMethod = "POST" | "PUT" | "PATCH" | "DELETE" | "GET";

/** What a record is called: unique in its model, and the same for as long as the record lives. */
export type RecordId = string | number;

/** What is different in a record: of each field that is, what was there and what is there now. */
export type Differences<Row = unknown> = { [Field in keyof Row]?: [old: Row[Field], now: Row[Field]] };

/**
 * A record as a deletion shows it: its last state if the server knows it, else no more than its id. Where changes are gathered (`coalesceMs`),
 * the last state that was told.
 */
export type Deleted<Row = unknown> =
  | Partial<Row>
  | {
      /** What it was called. */
      id: RecordId;
    };

/** What every change says. */
export interface ChangeOf {
  /** When it was published: milliseconds since 1970, by the clock of the server. For people; changes are in order as they arrive. */
  ts: number;
  /** The model, in lower case. */
  model: string;
}

/** One record came, changed or went. */
export interface OneChange<Row = unknown> extends ChangeOf {
  /** What happened to it. */
  method: ChangeMethod;
  /** Which record. */
  id: RecordId;
  /** It is about one record. */
  many: false;
  /** The record, as the receiver may see it. Of a record that has left a narrower topic it is `{ id }`, and nothing else. */
  payload: Row | Deleted<Row>;
  /** What is different, where the server knows what the record was: of the fields that the receiver may see. */
  changes?: Differences<Row>;
  /** The narrower topic that the record has left, which is all that this change says. */
  topic?: string;
}

/** Several records came, changed or went at once: a list in one response, or in one call. */
export interface ManyChange<Row = unknown> extends ChangeOf {
  /** What happened to each of them. */
  method: ChangeMethod;
  /** No single record. */
  id: null;
  /** It is about a list of records. */
  many: true;
  /** The records, as the receiver may see them, in the order of the list. */
  payload: (Row | Deleted<Row>)[];
  /** The narrower topic that these are the records of; without it they are all that the receiver may see. */
  topic?: string;
}

/**
 * What happened to records of a model: the argument of a `change` event.
 *
 * @typeParam Row - a record of the model, as its receivers see it
 *
 * @example
 * interface ServerToClient { change(change: Change<Post>): void }
 */
export type Change<Row = unknown> = OneChange<Row> | ManyChange<Row>;

/** The payload of `ENTERED`. */
export interface Entered {
  /** The narrower topic, whole. */
  topic: string;
  /** The records. */
  ids: RecordId[];
}

/**
 * What a join of a topic of changes is answered with, as its `snapshot`, where there is something to say. A plain client over a WebSocket is
 * told none (decision 0087).
 */
export interface View {
  /**
   * Where what is shown depends on who asks: stands for what the client is shown, the same as long as nothing of that is different. It says
   * nothing else. A client that joins again with another view has to ask for its records anew, whatever it is sent of what it missed.
   */
  view?: string;
  /** What the server's topics begin with, if anything: behind it come the model, or `all`, and what a narrower topic is narrowed by. */
  prefix?: string;
}

/** The payload of `VIEW`. */
export interface ViewChanged {
  /** The topic, whole. */
  topic: string;
  /** What it is shown now, as {@link View.view}. */
  view: string;
}
