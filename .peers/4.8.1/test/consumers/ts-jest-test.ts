// ts-jest checks the types and makes CommonJS of it; `test` and `expect` are jest's own globals.
import { EventError, type EventContext, Handler } from "socket-ingress";
import { fakeServer } from "socket-ingress/testing";

declare const test: (title: string, fn: () => Promise<void>) => void;
declare const expect: (value: unknown) => { toEqual(expected: unknown): void };

class EchoHandler extends Handler {
  readonly name = "echo";
  readonly events = { echo: "handleEcho" };

  handleEcho(_context: EventContext, text: unknown) {
    if (typeof text !== "string") throw new EventError("INVALID_INPUT", "a text, please");
    return text;
  }
}

test("a handler is tested under ts-jest", async () => {
  const io = fakeServer();
  await new EchoHandler().setup(io);
  const socket = await io.connect();
  expect(await socket.receive("echo", "hi")).toEqual("hi");
  expect(await socket.receive("echo", 1)).toEqual({ error: { code: "INVALID_INPUT", message: "a text, please" } });
  await io.close();
});
