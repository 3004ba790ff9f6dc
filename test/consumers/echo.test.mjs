// `test` and `expect` are vitest's own globals.
import { expected, replies } from "./echo.mjs";

test("a handler is tested under vitest", async () => {
  expect(await replies("hi", 1)).toEqual(expected);
});
