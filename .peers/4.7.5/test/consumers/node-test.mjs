import assert from "node:assert/strict";
import { test } from "node:test";
import { expected, replies } from "./echo.mjs";

void test("a handler is tested under node:test", async () => {
  assert.deepEqual(await replies("hi", 1), expected);
});
