// `test` and `expect` are jest's own globals.
import { expected, replies } from "./echo.mjs";

test("a handler is tested under jest", async () => {
  expect(await replies("hi", 1)).toEqual(expected);
});
