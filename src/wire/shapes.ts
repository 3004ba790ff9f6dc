/** Says whether a value from the wire has a shape. */
export type Look = (value: unknown) => boolean;

/** Whether this is a string. */
export const isText: Look = (value) => typeof value === "string";

/** Whether this is a number. */
export const isNumber: Look = (value) => typeof value === "number";

/** Whether this is `[epoch, n]`. */
export const isVersion = (value: unknown): value is readonly [epoch: string, n: number] =>
  Array.isArray(value) && isText(value[0]) && isNumber(value[1]);

/** Whether this is a list of what `look` takes. */
export const areAll =
  (look: Look): Look =>
  (value) =>
    Array.isArray(value) && value.every(look);
