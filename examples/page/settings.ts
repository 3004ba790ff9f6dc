/**
 * Ends the program with one sentence for whoever started it: a stack would send them into code that is not theirs.
 *
 * @param why - what was expected, and what was found instead
 */
export function giveUp(why: string): never {
  console.error(why);
  process.exit(1);
}

/** A whole number from the environment, or what counts without one. Anything else ends the program. */
export function numberFrom(name: string, byDefault: number, [min, max]: readonly [number, number]): number {
  const given = process.env[name] ?? "";
  if (given === "") return byDefault;
  const value = Number(given);
  if (/^\d+$/.test(given) && value >= min && value <= max) return value;
  return giveUp(`${name} must be a whole number from ${min} to ${max}, got "${given}"`);
}
