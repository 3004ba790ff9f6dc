import type { AnySubscriber } from "./subscriber.js";

/**
 * Whether a subscriber can read what the client sends: it has a parameter behind the context, or reads `arguments`. A function's `length` does
 * not count parameters with a default and rest parameters, so its text is looked at; of one that has none, such as a bound one, it is said that it can.
 */
export function readsArguments(fn: AnySubscriber): boolean {
  if (fn.length > 1) return true;
  const text = Function.prototype.toString.call(fn);
  if (/^(async\s*)?[\w$]+\s*=>/.test(text)) return false;
  const parameters = parametersOf(text);
  if (parameters === undefined || /^\s*\.\.\./.test(parameters[0] ?? "") || parameters.length > 1) return true;
  return !/^(async\s*)?\(/.test(text) && /\barguments\b/.test(text);
}

const opening = "([{";
const closing = ")]}";

/** The parameters of a function, as they are written; `undefined` where they can't be found. */
function parametersOf(text: string): string[] | undefined {
  if (/\{\s*\[native code\]\s*\}$/.test(text)) return undefined;
  const parameters: string[] = [];
  let depth = 0;
  let from = 0;
  for (let i = text.indexOf("("); i >= 0 && i < text.length; i++) {
    const sign = text.charAt(i);
    if (`"'\``.includes(sign)) i = endOfString(text, i);
    else if (opening.includes(sign)) {
      if (depth++ === 0) from = i + 1;
    } else if (closing.includes(sign)) depth--;
    if (depth > 1 || (depth === 1 && sign !== ",")) continue;
    const parameter = text.slice(from, i);
    if (parameter.trim() !== "") parameters.push(parameter);
    if (depth === 0) return parameters;
    from = i + 1;
  }
  return undefined;
}

function endOfString(text: string, from: number): number {
  let i = from + 1;
  while (i < text.length && text[i] !== text[from]) i += text[i] === "\\" ? 2 : 1;
  return i;
}
