// What can be told from the text of a frame before it is decoded, as socket.io-parser writes it (`Decoder.decodeString`): the type,
// the number of attachments and a dash, the namespace and a comma, the id, the payload.

/** The types of packets that are looked at, by their character. */
export const frameType = {
  connect: 0x30,
  disconnect: 0x31,
  event: 0x32,
  ack: 0x33,
  connectError: 0x34,
  binaryEvent: 0x35,
  binaryAck: 0x36,
} as const;

/** The namespace of a CONNECT, a DISCONNECT or a CONNECT_ERROR. */
export function namespaceOf(text: string): string {
  if (text.charCodeAt(1) !== 0x2f) return "/";
  const comma = text.indexOf(",");
  return text.slice(1, comma < 0 ? undefined : comma);
}

/** Whether an event or an acknowledgement has more than `most` arguments. Each takes two characters at least. */
export function hasMoreArguments(text: string, most: number): boolean {
  if (text.length <= 2 * most || !hasMoreCommas(text, most)) return false;
  const namespace = /^\d(?:\d*-)?\//.test(text) ? text.indexOf(",") : 0;
  const payload = text.indexOf("[", namespace);
  if (payload < 0) return false;
  // Commas between the outermost brackets: an event's name, which is no argument, comes before the first.
  let depth = 0;
  let commas = 0;
  let quoted = false;
  for (let i = payload; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (quoted) {
      if (char === 0x5c) i++; // a backslash: the next character is not the end
      else if (char === 0x22) quoted = false;
    } else if (char === 0x22) quoted = true;
    else if (char === 0x5b || char === 0x7b) depth++;
    else if (char === 0x5d || char === 0x7d) depth--;
    else if (char === 0x2c && depth === 1 && ++commas > most) return true;
  }
  return false;
}

/** The cheap question first: nearly every long text has few commas, and none of them has to be looked at. */
function hasMoreCommas(text: string, most: number): boolean {
  let count = 0;
  for (let at = text.indexOf(","); at >= 0; at = text.indexOf(",", at + 1)) if (++count > most) return true;
  return false;
}

/** The key of a placeholder, however its letters are written. */
const placeholderKey = new RegExp(`"${Array.from("_placeholder", letter).join("")}"`, "g");

function letter(char: string): string {
  const hex = char
    .charCodeAt(0)
    .toString(16)
    .replace(/[a-f]/, (digit) => `[${digit}${digit.toUpperCase()}]`);
  return `(?:${char}|\\\\u00${hex})`;
}

/**
 * Whether a binary packet names its attachments more often than it has any. Every client names each once; one attachment that is
 * named 400 times is sent 400 times when its event is passed on.
 */
export function hasMorePlaceholders(text: string): boolean {
  const attachments = Number(text.slice(1, text.indexOf("-")));
  let count = 0;
  placeholderKey.lastIndex = 0;
  while (placeholderKey.test(text)) {
    const colon = behindSpace(text, placeholderKey.lastIndex);
    if (text[colon] !== ":" || !text.startsWith("true", behindSpace(text, colon + 1))) continue;
    if (++count > attachments) return true;
  }
  return false;
}

/** Where the next thing begins that is no space. */
function behindSpace(text: string, at: number): number {
  let i = at;
  while (i < text.length && text.charCodeAt(i) <= 0x20) i++;
  return i;
}
