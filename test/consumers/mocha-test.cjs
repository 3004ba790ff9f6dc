// `it` is mocha's own global.
const assert = require("node:assert/strict");
const { expected, replies } = require("./echo.cjs");

it("a handler is tested under mocha", async () => {
  assert.deepEqual(await replies("hi", 1), expected);
});
