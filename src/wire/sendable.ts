/** Deeper data is refused: Socket.IO looks for binary parts by recursion (`hasBinary`), and a stack is finite. */
const DEPTH_MAX = 500;

/** How many attachments the decoder of a Socket.IO client takes in one packet (`maxAttachments` of socket.io-parser). */
const MOST_ATTACHMENTS = 10;

/** A parser of the application's own, as a server and its clients are given it. */
export interface Parser {
  readonly Encoder: new () => { encode(packet: object): readonly unknown[] };
  readonly Decoder: new () => { add(chunk: unknown): void; destroy?(): void };
}

/**
 * The parser that a server was given; undefined where it is Socket.IO's own. `_opts` is public to TypeScript, without documentation
 * (decision 0014): where it is missing, the parser is taken for Socket.IO's own.
 */
export function parserOf(server: { readonly _opts?: unknown } | undefined): Parser | undefined {
  return (server?._opts as { readonly parser?: Parser } | undefined)?.parser;
}

/**
 * Whether there is anything in a value that travels beside its text. Every reply is asked this, so it is no more than that: it
 * throws what reading the value throws, as encoding would. A plain object, as nearly every reply is, is told by its `constructor`: asking for its
 * prototype, or what it is an instance of, takes three times as long as all the rest.
 */
export function holdsBinary(value: unknown, isAsked = false): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (value.constructor !== Object) {
    if (Array.isArray(value)) return anyHoldsBinary(value);
    if (isBinary(value)) return true;
  }
  const { toJSON } = value as { toJSON?: unknown };
  // Once, as encoders do: it may return itself, or something like itself.
  if (typeof toJSON === "function" && !isAsked)
    return !(value instanceof Date) && holdsBinary(toJSON.call(value), true);
  for (const key in value) {
    const part: unknown = (value as Record<string, unknown>)[key];
    if (typeof part === "object" && part !== null && holdsBinary(part)) return true;
  }
  return false;
}

function anyHoldsBinary(list: readonly unknown[]): boolean {
  for (let i = 0; i < list.length; i++) {
    const part = list[i];
    if (typeof part === "object" && part !== null && holdsBinary(part)) return true;
  }
  return false;
}

/**
 * Why a value can't be sent to another node, or `undefined` when it can. Looked at beforehand because a cluster adapter encodes inside
 * a promise nobody holds: what throws there is an unhandled rejection, and ends the process. Total: it never throws.
 */
export function unsendable(value: unknown): string | undefined {
  return reasonOf(value, new Tally());
}

/** Why a log of topics can't hold a value, or `undefined` when it can: the same, and it must be JSON, without binary data. Never throws. */
export function unloggable(value: unknown): string | undefined {
  const tally = new Tally();
  return reasonOf(value, tally) ?? (tally.attachments > 0 ? "it holds binary data" : undefined);
}

/**
 * Why a value can't be sent to a client, or `undefined` when it can: the same, and what can be encoded but what the decoder at the
 * other end refuses, which ends the connection with a `parse error`. What goes into one packet is asked about as one value. Never throws.
 *
 * @param parser the application's own, if it has one: its decoder is tried
 */
export function undecodable(value: unknown, parser: Parser | undefined): string | undefined {
  const tally = new Tally();
  const reason = reasonOf(value, tally);
  const { attachments, placeholders } = tally;
  // Text alone is never looked through for placeholders.
  if (reason !== undefined || attachments === 0) return reason;
  if (!takes(parser, attachments)) return `it holds ${attachments} attachments, and a client takes fewer in one packet`;
  if (placeholders > 0 && !takesPlaceholders(parser))
    return "it holds an object with _placeholder: true beside binary data, which a client takes for an attachment";
  return undefined;
}

/** What was counted on the way through a value. */
class Tally {
  attachments = 0;
  /** Objects that look like what stands for an attachment. */
  placeholders = 0;
}

function reasonOf(value: unknown, tally: Tally): string | undefined {
  try {
    return look(value, tally, 0);
  } catch {
    return "reading it throws";
  }
}

function look(value: unknown, tally: Tally, depth: number, isAsked = false): string | undefined {
  if (typeof value === "bigint" || Object.prototype.toString.call(value) === "[object BigInt]")
    return "it holds a BigInt";
  if (typeof value === "symbol") return "it holds a symbol";
  if (typeof value !== "object" || value === null) return undefined;
  if (isBlob(value)) return "it holds a Blob, which can't be written: send its arrayBuffer()";
  if (isBinary(value)) {
    tally.attachments++;
    return undefined;
  }
  // A circle is found by its depth too.
  if (depth > DEPTH_MAX) return `it is circular or nested deeper than ${DEPTH_MAX}`;
  const { toJSON, _placeholder: placeholder } = value as { toJSON?: unknown; _placeholder?: unknown };
  if (!isAsked && typeof toJSON === "function") return look(toJSON.call(value), tally, depth + 1, true);
  if (placeholder === true) tally.placeholders++;
  for (const part of Array.isArray(value) ? value : Object.values(value)) {
    const reason = look(part, tally, depth + 1);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

function isBinary(value: object): boolean {
  return ArrayBuffer.isView(value) || value instanceof ArrayBuffer || isBlob(value);
}

function isBlob(value: object): boolean {
  return value instanceof Blob;
}

/** What parsers were found to take; by how many attachments, and under 0 a placeholder that is none. */
const found = new WeakMap<Parser, Map<number, boolean>>();
/** So many answers are kept for a parser. */
const MOST_FOUND = 64;

function takes(parser: Parser | undefined, attachments: number): boolean {
  if (parser === undefined) return attachments <= MOST_ATTACHMENTS;
  return tried(parser, attachments, () => Array.from({ length: attachments }, () => new Uint8Array(1)));
}

function takesPlaceholders(parser: Parser | undefined): boolean {
  if (parser === undefined) return false;
  return tried(parser, 0, () => [new Uint8Array(1), { _placeholder: true, num: 7 }]);
}

/** Whether a decoder of this parser takes what an encoder of it makes of such data. */
function tried(parser: Parser, key: number, sample: () => unknown[]): boolean {
  let answers = found.get(parser);
  if (answers === undefined) found.set(parser, (answers = new Map()));
  let answer = answers.get(key);
  if (answer === undefined) {
    answer = roundTrip(parser, sample());
    if (answers.size >= MOST_FOUND) answers.clear();
    answers.set(key, answer);
  }
  return answer;
}

function roundTrip({ Encoder, Decoder }: Parser, data: unknown[]): boolean {
  const decoder = new Decoder();
  try {
    for (const piece of new Encoder().encode({ type: 2, nsp: "/", data: ["x", ...data] })) decoder.add(piece);
    return true;
  } catch {
    return false;
  } finally {
    decoder.destroy?.();
  }
}
