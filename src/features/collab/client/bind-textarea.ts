import {
  createAbsolutePositionFromRelativePosition,
  createRelativePositionFromTypeIndex,
  type RelativePosition,
  relativePositionToJSON,
  type Text,
  type Transaction,
  type YTextEvent,
} from "yjs";
import type { OpenDocument } from "./open-document.js";

/** What is needed of a textarea, or of a text input. */
export interface TextField {
  /** What is in it. */
  value: string;
  /** Whether nobody can type. */
  readOnly: boolean;
  /** Where the selection begins. */
  readonly selectionStart: number | null;
  /** Where it ends. */
  readonly selectionEnd: number | null;
  /** Selects. */
  setSelectionRange(start: number, end: number): void;
  /** Adds a listener. */
  addEventListener(event: string, fn: () => void): void;
  /** Removes a listener. */
  removeEventListener(event: string, fn: () => void): void;
}

/** Ends of lines that a textarea makes `\n`, whatever was put into it. */
const RETURNS = /\r\n?/g;

/** In which the caret may have moved. */
const MOVES = ["select", "keyup", "click", "focus"] as const;

/**
 * Binds a textarea to a text of a document: what is typed goes into the text, what others type into the textarea, and the caret stays where
 * it is in what is written. While the document can't be written it is read-only. Where it points is `cursor: { anchor, head }` in
 * `note.awareness`, as `y-codemirror.next` has it.
 *
 * A textarea has its lines end with `\n`. If they end with `\r\n` in the text, as a file from elsewhere has them, the first input makes them so there.
 *
 * While an input method composes, the textarea is left alone, and shows what came meanwhile when it is done.
 *
 * @returns the undo
 */
export function bindTextarea(area: TextField, text: Text, note: OpenDocument): () => void {
  const { doc, awareness } = note;
  let shown = "";
  let isComposing = false;
  let caret: RelativePosition[] = [];

  const remember = (): void => {
    caret = [area.selectionStart, area.selectionEnd].map((at) =>
      createRelativePositionFromTypeIndex(text, Math.min(at ?? 0, text.length)),
    );
    const [anchor, head] = caret.map(relativePositionToJSON);
    awareness.setLocalStateField("cursor", { anchor, head });
  };
  const show = (): void => {
    area.value = shown = text.toJSON().replace(RETURNS, "\n");
    const [start = 0, end = 0] = caret.map((at) => createAbsolutePositionFromRelativePosition(at, doc)?.index);
    area.setSelectionRange(start, end);
  };
  /** Has the lines of the text end as those of the textarea, each by itself: what others write beside an end stays where it is. */
  const straighten = (): void => {
    for (const { 0: end, index } of [...text.toJSON().matchAll(RETURNS)].reverse()) {
      if (end === "\r") text.insert(index + 1, "\n");
      text.delete(index, 1);
    }
  };
  const onInput = (): void => {
    const now = area.value;
    const { at, removed, added } = difference(shown, now);
    doc.transact(straighten, area);
    // What others did to the text since it was shown; nothing unless an input method composes.
    const since = difference(shown, text.toJSON());
    const shift = at >= since.at + since.removed.length ? since.added.length - since.removed.length : 0;
    const from = Math.min(at + shift, text.length);
    doc.transact(() => {
      if (removed !== "") text.delete(from, Math.min(removed.length, text.length - from));
      if (added !== "") text.insert(from, added);
    }, area);
    shown = now;
    if (!isComposing && text.toJSON() !== now) show();
    remember();
  };
  const onText = (_: YTextEvent, { origin }: Transaction): void => {
    if (origin !== area && !isComposing) show();
  };
  const onStart = (): void => void (isComposing = true);
  const onEnd = (): void => {
    isComposing = false;
    onInput();
  };
  const listeners: [event: string, fn: () => void][] = [
    ["input", () => isComposing || onInput()],
    ["compositionstart", onStart],
    ["compositionend", onEnd],
    ...MOVES.map((event): [string, () => void] => [event, () => isComposing || remember()]),
  ];
  for (const [event, fn] of listeners) area.addEventListener(event, fn);
  text.observe(onText);
  const off = note.subscribe(({ mode }) => void (area.readOnly = mode !== "write"));
  show();
  return () => {
    for (const [event, fn] of listeners) area.removeEventListener(event, fn);
    text.unobserve(onText);
    off();
  };
}

/** The one place in which two texts differ: no character of two halves is cut. */
function difference(before: string, after: string): { at: number; removed: string; added: string } {
  const most = Math.min(before.length, after.length);
  let at = 0;
  while (at < most && before[at] === after[at]) at++;
  if (isHalf(before, at) || isHalf(after, at)) at--;
  let rest = 0;
  while (rest < most - at && before.at(-1 - rest) === after.at(-1 - rest)) rest++;
  if (isHalf(before, before.length - rest) || isHalf(after, after.length - rest)) rest--;
  return { at, removed: before.slice(at, before.length - rest), added: after.slice(at, after.length - rest) };
}

/** Whether this is behind the first half of a character. */
function isHalf(text: string, at: number): boolean {
  return /[\uD800-\uDBFF]/.test(text[at - 1] ?? "") && /[\uDC00-\uDFFF]/.test(text[at] ?? "");
}
