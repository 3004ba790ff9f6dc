import { byId, element } from "../../page/dom.js";
import { firstGraphemes } from "../../page/graphemes.js";

const LINES = 30;
const counts = new WeakMap<Element, { key: string; times: number }>();

/** One line for each sort of answer; the same answer again only counts up. */
export function logReply(label: string, code: string, detail: string, ms: number): void {
  const log = byId("log");
  const key = `${label} ${code}`;
  const known = [...log.children].find((line) => counts.get(line)?.key === key);
  const times = (known === undefined ? 0 : (counts.get(known)?.times ?? 0)) + 1;
  const line = element(
    "li",
    code === "OK" ? "" : "failed",
    element("b", "", label),
    element("code", "", times === 1 ? code : `${code} ×${times}`),
    element("span", "", `${firstGraphemes(detail, 160)} · ${Math.round(ms)} ms`.replace(/^ · /, "")),
  );
  counts.set(line, { key, times });
  known?.remove();
  log.prepend(line);
  while (log.children.length > LINES) log.lastChild?.remove();
}
