import { describeValue } from "./values.js";

/** Options are an object, whoever forgot the types. */
export function asRecord(subject: string, options: unknown): Record<string, unknown> {
  if (typeof options === "object" && options !== null && !Array.isArray(options))
    return options as Record<string, unknown>;
  throw new TypeError(`${subject}: options must be an object, got ${describeValue(options)}`);
}

/** @throws TypeError for an option of a name that there is not, which would be left out in silence */
export function checkNames(subject: string, given: object, names: readonly string[]): void {
  for (const name of Object.keys(given)) {
    if (names.includes(name)) continue;
    throw new TypeError(`${subject}: there is no option "${name}"; there are ${names.join(", ")}`);
  }
}
