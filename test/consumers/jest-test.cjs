// `test` and `expect` are jest's own globals; it runs as it comes, without a flag.
const { Handler } = require("socket-ingress");
const { fakeServer } = require("socket-ingress/testing");
const { expected, replies } = require("./echo.cjs");

class HangingHandler extends Handler {
  name = "hanging";
  events = { hang: { run: "hang", timeoutMs: 5_000 } };
  hang() {
    this.begun();
    return new Promise(() => {});
  }
}

afterEach(() => jest.useRealTimers());

test("a handler is tested under jest", async () => {
  expect(await replies("hi", 1)).toEqual(expected);
});

test("jest's default fake timers are told at once, as nothing would ever arrive", async () => {
  const io = fakeServer();
  jest.useFakeTimers();
  await expect(io.connect()).rejects.toThrow(/fake timers have replaced process\.nextTick/);
});

test.each([
  [["nextTick", "queueMicrotask", "setImmediate"]],
  [["nextTick", "queueMicrotask", "setImmediate", "performance"]],
  [["nextTick", "queueMicrotask", "setImmediate", "performance", "Date"]],
])("time limits go by jest's fake timers without %j", async (doNotFake) => {
  jest.useFakeTimers({ doNotFake });
  const io = fakeServer();
  const handler = new HangingHandler();
  await handler.setup(io);
  const begun = new Promise((resolve) => (handler.begun = resolve));
  const reply = (await io.connect()).receive("hang");
  await begun;
  jest.advanceTimersByTime(5_000);
  expect(await reply).toEqual({ error: { code: "TIMEOUT", message: "no answer in time" } });
});
