/** The tables of RESULTS.md. */

/** A Markdown table: `columns` are `[title, (row) => text]`. */
export function table(columns, rows) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [
    line(columns.map(([title]) => title)),
    line(columns.map((_, index) => (index === 0 ? "---" : "---:"))),
    ...rows.map((row) => line(columns.map(([, cell]) => cell(row)))),
  ].join("\n");
}

/** `1.02 (0.99-1.04)`: the median, and the least and greatest of the rounds. */
export const ratio = ({ median, min, max }, digits = 2) =>
  `${median.toFixed(digits)} (${min.toFixed(digits)}-${max.toFixed(digits)})`;

/** A number with as many digits as are worth reading. */
export const figure = (value) =>
  Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2);

/** A target and whether the median keeps it. */
export const verdict = (value, atMost) =>
  atMost === undefined ? "" : `${atMost} ${value <= atMost ? "kept" : "**missed**"}`;
