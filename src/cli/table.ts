/** How narrow a column may become before a line is longer than the terminal. */
const NARROWEST = 12;

const GAP = "  ";

/**
 * Rows as lines, their cells below one another. What does not fit into a line of `width` goes on in the next, within its column: first of all in
 * the columns of prose.
 */
export function table(rows: readonly (readonly string[])[], width: number, prose: readonly number[]): string[] {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, i) => Math.max(0, ...rows.map((row) => (row[i] ?? "").length)));
  const excess = (): number => widths.reduce((sum, one) => sum + one, GAP.length * (columns - 1)) - width;
  for (const narrowed of [prose, widths.keys()]) {
    const columnsLeft = [...narrowed];
    while (excess() > 0) {
      const widest = columnsLeft.reduce((a, b) => ((widths[b] ?? 0) > (widths[a] ?? 0) ? b : a), columnsLeft[0] ?? 0);
      const now = widths[widest] ?? 0;
      if (now <= NARROWEST) break;
      widths[widest] = now - 1;
    }
  }
  return rows.flatMap((row) => {
    const cells = widths.map((columnWidth, i) => wrap(row[i] ?? "", columnWidth));
    const height = Math.max(1, ...cells.map((lines) => lines.length));
    return Array.from({ length: height }, (_, line) =>
      cells
        .map((lines, i) => (lines[line] ?? "").padEnd(widths[i] ?? 0))
        .join(GAP)
        .trimEnd(),
    );
  });
}

/** A text in lines of at most `width`, broken between words; one that is longer is broken behind a slash, or where it has to be. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    let rest = word;
    if (line !== "" && line.length + 1 + rest.length > width) {
      lines.push(line);
      line = "";
    }
    while (rest.length > width) {
      const at = rest.lastIndexOf("/", width - 1) + 1 || width;
      lines.push(rest.slice(0, at));
      rest = rest.slice(at);
    }
    line = line === "" ? rest : `${line} ${rest}`;
  }
  return line === "" ? lines : [...lines, line];
}
