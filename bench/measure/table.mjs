/** The tables of RESULTS.md. What could not be measured is no finite number, and says so. */

/** A Markdown table: `columns` are `[title, (row) => text]`. */
export function table(columns, rows) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [
    line(columns.map(([title]) => title)),
    line(columns.map((_, index) => (index === 0 ? "---" : "---:"))),
    ...rows.map((row) => line(columns.map(([, cell]) => cell(row)))),
  ].join("\n");
}

const notMeasured = "not measured";

/** A number with so many digits after the point. */
export const fixed = (value, digits) => (Number.isFinite(value) ? value.toFixed(digits) : notMeasured);

/** `1.02 (0.99-1.04)`: the median, and the least and greatest of the rounds. */
export const ratio = ({ median, min, max }, digits = 2) =>
  Number.isFinite(median) ? `${fixed(median, digits)} (${fixed(min, digits)}-${fixed(max, digits)})` : notMeasured;

/** A number with as many digits as are worth reading. */
export const figure = (value) => fixed(value, Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2);

/** `23.0 (22.1-24.5)`: a spread in figures, each of so many. */
export const figures = ({ median, min, max }, unit = 1) =>
  Number.isFinite(median) ? `${figure(median / unit)} (${figure(min / unit)}-${figure(max / unit)})` : notMeasured;

/** How far a control may be off one where nothing is asked but that the machine is quiet. */
const usuallyOff = 0.03;

/**
 * A target and whether the median keeps it. `control` is what the same method says of two that do the same. It has to be within
 * `mostOff` of one, and within half of what there is between one and the target; otherwise nothing is judged.
 */
export function verdict(value, { atMost, atLeast }, control, mostOff = usuallyOff) {
  const target = atMost ?? atLeast;
  if (target === undefined || !Number.isFinite(value)) return "";
  if (!(Math.abs(control - 1) <= Math.min(mostOff, Math.abs(target - 1) / 2)))
    return `${target}: the machine is too busy`;
  return `${target} ${(atMost === undefined ? value >= target : value <= target) ? "kept" : "**missed**"}`;
}
