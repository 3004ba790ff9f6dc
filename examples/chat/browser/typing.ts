import { byId } from "../../page/dom.js";

/** How long somebody counts as typing after the last word of it. */
export const TYPING_MS = 3_000;

const typists = new Map<string, ReturnType<typeof setTimeout>>();

function show(): void {
  const names = new Intl.ListFormat("en").format(typists.keys());
  byId("typing").textContent = typists.size === 0 ? "" : `${names} ${typists.size === 1 ? "is" : "are"} typing`;
}

/** Somebody typed just now. */
export function startTyping(name: string): void {
  clearTimeout(typists.get(name));
  typists.set(name, setTimeout(stopTyping, TYPING_MS, name));
  show();
}

/** Somebody has said it, or given up. */
export function stopTyping(name: string): void {
  clearTimeout(typists.get(name));
  typists.delete(name);
  show();
}

/** Nobody types: another room. */
export function stopAllTyping(): void {
  for (const name of typists.keys()) stopTyping(name);
}
