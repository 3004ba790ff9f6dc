// `test` and `expect` are jest's own globals; it runs as it comes, without a flag.
const { expected, replies } = require("./echo.cjs");

test("a handler is tested under jest", async () => {
  expect(await replies("hi", 1)).toEqual(expected);
});
