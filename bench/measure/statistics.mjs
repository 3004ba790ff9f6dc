/** The few statistics the tables need. */

/** The middle value; NaN of none. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Median, least and greatest of `values`, and the values themselves; those that could not be measured (NaN) are left out. */
export function spread(all) {
  const values = all.filter(Number.isFinite);
  const [min, max] = values.length > 0 ? [Math.min(...values), Math.max(...values)] : [NaN, NaN];
  return { median: median(values), min, max, values };
}

/** The mean of the middle half: steadier than the median where values are many, and as deaf to outliers. */
export function midmean(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const cut = Math.floor(sorted.length / 4);
  const middle = sorted.slice(cut, sorted.length - cut);
  return middle.reduce((sum, value) => sum + value, 0) / middle.length;
}

/**
 * What `values` are of `base`, both from the same turns: each is compared with the one measured beside it, so that what makes
 * both slow for a while is in neither. In logarithms, so that turning the comparison round gives the reciprocal.
 */
export const pairedRatio = (values, base) =>
  Math.exp(midmean(values.map((value, turn) => Math.log(value / base[turn]))));

/** The orders of `count` turns: a random one, then the same backwards, and again: what drifts meanwhile is in neither side's favour. */
export function* turns(names, count) {
  let order = [];
  for (let turn = 0; turn < count; turn++) {
    order = turn % 2 === 0 ? shuffled(names) : order.toReversed();
    yield order;
  }
}

/** A copy in random order. */
export function shuffled(values) {
  const copy = [...values];
  for (let i = copy.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [copy[i], copy[j]] = [copy[j], copy[i]];
  }
  return copy;
}
