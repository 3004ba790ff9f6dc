import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./source-files.js";

/** A fenced TypeScript block of a document. */
export interface CodeBlock {
  code: string;
  /** The line of the document its code begins at, from 1. */
  line: number;
  extension: "ts" | "tsx";
  /** What its first line calls it, as in `// chat.ts`, so that another block can import it; else a name of ours. */
  name: string;
  /** Why it is not compiled, from "```ts no-check: the reason"; `undefined` for a block that is. */
  unchecked: string | undefined;
}

/** The comment a source file opens with, as text whose lines are those of the file; "" if it opens with none. */
export function openingComment(path: string): string {
  const comment = /^\/\*\*[^]*?\*\//.exec(readFileSync(join(root, path), "utf8"))?.[0] ?? "";
  return comment.replace(/^ ?\*\/? ?/gm, "");
}

/** All TypeScript blocks of a document, or of the opening comment of a source file, in order. */
export function codeBlocks(document: string): CodeBlock[] {
  const text = document.endsWith(".md") ? readFileSync(join(root, document), "utf8") : openingComment(document);
  const fence = /^```(ts|tsx|typescript)\b([^\n]*)\n([^]*?)^```\s*$/gm;
  return [...text.matchAll(fence)].map((match, index) => {
    const [, language, info = "", code = ""] = match;
    const line = text.slice(0, match.index).split("\n").length + 1;
    const extension = language === "tsx" ? "tsx" : "ts";
    const named = /^\/\/ ([\w./-]+\.tsx?)\s*$/m.exec(code.split("\n", 1)[0] ?? "")?.[1];
    const unchecked = /\bno-check\b:?\s*(.*)$/.exec(info);
    return {
      code,
      line,
      extension,
      name: named ?? `block-${index + 1}.${extension}`,
      unchecked: unchecked === null ? undefined : (unchecked[1] ?? ""),
    };
  });
}
