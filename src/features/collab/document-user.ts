import type { DocumentUser } from "./protocol.js";

/** Hues of carets, far from each other, as CSS has them. */
const HUES = [210, 28, 145, 320, 262, 0, 185, 55, 95, 290];

/** Whom the others see. A colour is the server's to say, too: it stands in the style of other people's pages. */
export function documentUser(
  id: string | null,
  seed: string,
  more: Readonly<Record<string, unknown>> = {},
): DocumentUser {
  let hash = 0;
  for (let i = 0; i < seed.length; i++) hash = (hash * 31 + seed.charCodeAt(i)) >>> 0;
  const hue = HUES[hash % HUES.length] as number; // it is within
  return {
    name: id ?? "Guest",
    color: `hsl(${hue} 70% 40%)`,
    colorLight: `hsl(${hue} 70% 40% / 0.25)`,
    ...more,
    id,
  };
}
