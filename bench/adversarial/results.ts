import { existsSync, readFileSync, writeFileSync } from "node:fs";

const file = new URL("./RESULTS.md", import.meta.url);

const preface = `# What the adversarial runs measured

Written by the scripts of this folder; run them again rather than editing this. *Survived*: the process lived, or ended by itself and
on time where it was shut down. *Answered*: every event that asked for an acknowledgement got one in time, and so did the next
honest call of another client. *Leaked*: a frame carried the message, stack or path of an error that was not meant for the caller.
A scenario that a contestant has no way to express is not counted (n/a). All ran with \`NODE_ENV=production\`.
`;

const sections = ["scenarios", "flood", "connects", "cycles", "drain"] as const;

const titles: Record<(typeof sections)[number], string> = {
  scenarios: "One table",
  flood: "One flooding client beside fifty honest ones",
  connects: "One client that asks to enter again and again",
  cycles: "Set up and torn down under traffic",
  drain: "Shut down with a thousand calls running",
};

/** Replaces one section of `RESULTS.md` and leaves the others as they were. */
export function writeSection(section: (typeof sections)[number], text: string): void {
  const before = existsSync(file) ? readFileSync(file, "utf8") : "";
  const bodies = sections.map((name) => {
    const known = new RegExp(`<!-- ${name} -->\\n([\\s\\S]*?)\\n<!-- /${name} -->`).exec(before)?.[1];
    const body = name === section ? text : known;
    return body === undefined ? undefined : `## ${titles[name]}\n\n<!-- ${name} -->\n${body}\n<!-- /${name} -->\n`;
  });
  writeFileSync(file, [preface, ...bodies.filter((body) => body !== undefined)].join("\n"));
}
