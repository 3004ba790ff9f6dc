import { expected, option, readOptions } from "../../events/option-table.js";
import { unloggable } from "../../wire/sendable.js";
import { describeValue } from "../../wire/values.js";

/** What is sent to a user. In its texts, U+0000 and halves of surrogate pairs, which no database keeps, become U+FFFD. */
export interface NewNotification {
  /** In a few words, as text. */
  title: string;
  /** The rest of it, as text. @default "" */
  message?: string;
  /** Text, such as an emoji, or an address of a picture that the page may or may not load. @default "" */
  icon?: string;
  /** What a program needs to react, as JSON can hold it. @default null */
  data?: unknown;
  /**
   * What a job that is run again sends again: of one key a user gets one notification, with one push and one run of the fallbacks, for as
   * long as the first one is kept. At most 255 characters.
   *
   * @default none
   */
  idempotencyKey?: string;
}

/** The largest notification, in characters of JSON: pages of a hundred travel in one frame. */
const LARGEST = 65_536;

const isText = (value: unknown): boolean => typeof value === "string";

const storable = (text: string): string => text.replace(/\0|\p{Surrogate}/gu, "\uFFFD");

const table = {
  title: option("", "a non-empty string", (value) => isText(value) && value !== ""),
  message: option("", "a string", isText),
  icon: option("", "a string", isText),
  data: option<unknown>(null, "JSON", () => true),
  idempotencyKey: option<string | undefined>(
    undefined,
    "a string of 1 to 255 characters",
    (value) => typeof value === "string" && value !== "" && value.length <= 255,
  ),
};

/** What is sent, read. */
export interface Content {
  /** In a few words, as text. */
  readonly title: string;
  /** The rest of it, as text. */
  readonly message: string;
  /** Text, or an address. */
  readonly icon: string;
  /** What a program needs to react, as JSON has it. */
  readonly data: unknown;
}

/**
 * Reads what is to be sent, and takes a copy: what is changed afterwards changes nothing.
 *
 * @throws TypeError naming what does not fit
 */
export function readNotification(given: unknown): { content: Content; idempotencyKey: string | undefined } {
  const { idempotencyKey, ...texts } = readOptions("send", table, given);
  if (texts.title === "") throw expected("send", "title", table.title.expects, undefined);
  const [title, message, icon] = [storable(texts.title), storable(texts.message), storable(texts.icon)];
  const content = { title, message, icon, data: texts.data };
  const reason = unloggable(content.data);
  if (reason !== undefined) throw new TypeError(`send: data must be what JSON can hold, but ${reason}`);
  const text = JSON.stringify(content);
  if (text.length > LARGEST)
    throw new TypeError(`send: a notification has at most ${LARGEST} characters as JSON, got ${text.length}`);
  const copy = JSON.parse(text) as Partial<Content>;
  return { content: { ...content, data: copy.data ?? null }, idempotencyKey };
}

/**
 * The users that something is sent to, each once.
 *
 * @throws TypeError naming what is no id of a user
 */
export function readUsers(given: unknown): readonly string[] {
  const users: readonly unknown[] = Array.isArray(given) ? given : [given];
  for (const user of users) {
    if (typeof user !== "string" || user === "")
      throw new TypeError(`send: expected the id of a user, or a list of ids, got ${describeValue(user)}`);
  }
  return users as readonly string[]; // each was looked at
}
