// `test` and `expect` are jest's own globals; Node runs with --experimental-vm-modules.
import { expected, replies } from "./echo.mjs";

test("a handler is tested under jest's ES modules", async () => {
  expect(await replies("hi", 1)).toEqual(expected);
});
