// `it` is mocha's own global.
import assert from "node:assert/strict";
import { expected, replies } from "./echo.mjs";

it("a handler is tested under mocha's ES modules", async () => {
  assert.deepEqual(await replies("hi", 1), expected);
});
