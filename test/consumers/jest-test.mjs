import { expect, test } from "@jest/globals";
import { expected, replies } from "./echo.mjs";

test("a handler is tested under jest", async () => {
  expect(await replies("hi", 1)).toEqual(expected);
});
