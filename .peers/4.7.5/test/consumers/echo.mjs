// A handler as somebody without TypeScript writes it, for the samples under other test runners.
import { EventError, Handler } from "socket-ingress";
import { fakeServer } from "socket-ingress/testing";

class EchoHandler extends Handler {
  name = "echo";
  events = { echo: "handleEcho" };

  handleEcho(_context, text) {
    if (typeof text !== "string") throw new EventError("INVALID_INPUT", "a text, please");
    return text;
  }
}

/** What a client gets for each of these payloads, from a server that is gone again afterwards. */
export async function replies(...payloads) {
  const io = fakeServer();
  try {
    await new EchoHandler().setup(io);
    const socket = await io.connect();
    const all = [];
    for (const payload of payloads) all.push(await socket.receive("echo", payload));
    return all;
  } finally {
    await io.close();
  }
}

export const expected = ["hi", { error: { code: "INVALID_INPUT", message: "a text, please" } }];
