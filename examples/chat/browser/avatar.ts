import { element } from "../../page/dom.js";
import { firstGraphemes } from "../../page/graphemes.js";

/** An initial, in a colour that goes with the name. */
export function avatar(name: string): HTMLElement {
  const made = element("span", "avatar hued", firstGraphemes(name, 1).toUpperCase());
  let hash = 0;
  for (const character of name) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x9e3779b1);
  made.style.setProperty("--hue", String((hash >>> 0) % 360));
  made.ariaHidden = "true";
  return made;
}
