/**
 * What is thrown at whoever gives something that nothing can be made with. Says of an object no more than that it is one, and less than
 * the server does: each byte is loaded by every page.
 */
export function misfit(what: string, expected: string, given: unknown): TypeError {
  const said =
    typeof given === "string"
      ? JSON.stringify(given.slice(0, 60))
      : Object(given) === given
        ? typeof given
        : String(given);
  return new TypeError(`${what} must be ${expected}, got ${said}`);
}
