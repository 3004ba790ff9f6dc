import { inspect, styleText } from "node:util";

const styles = { warn: "yellow", error: "red", fatal: "red" } as const;

/**
 * One line of a log as a person reads it on a terminal: `12:03:04.567 warn  message  event=pay socketId=...`, an error behind it with its
 * stack. What comes from clients can't move the cursor: control characters are spelt out.
 */
export function readableLine(
  level: string,
  { err, ...fields }: Record<string, unknown>,
  message = "",
  coloured = false,
): string {
  const time = new Date().toISOString().slice(11, 23);
  const paint = (style: Parameters<typeof styleText>[0], text: string): string =>
    coloured ? styleText(style, text, { validateStream: false }) : text;
  const rest = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${typeof value === "string" && /^[\w./#:-]+$/.test(value) ? value : shown(value)}`)
    .join(" ");
  const style = styles[level as keyof typeof styles];
  const name = style === undefined ? level.padEnd(5) : paint(style, level.padEnd(5));
  const line = `${paint("dim", time)} ${name} ${spelt(message)}${rest === "" ? "" : `  ${paint("dim", spelt(rest))}`}\n`;
  return err === undefined ? line : `${line}${spelt(shown(err)).replaceAll(/^/gm, "    ")}\n`;
}

function shown(value: unknown): string {
  return inspect(value, { breakLength: Infinity, depth: 3 });
}

/** Without control characters but line ends: the last of them are those of Latin-1. */
function spelt(text: string): string {
  return text.replaceAll(/[\p{Cc}]/gu, (c) => (c === "\n" ? c : `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`));
}
