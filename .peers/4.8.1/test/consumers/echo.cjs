// The handler of echo.mjs as CommonJS has it.
const { EventError, Handler } = require("socket-ingress");
const { fakeServer } = require("socket-ingress/testing");

class EchoHandler extends Handler {
  name = "echo";
  events = { echo: "handleEcho" };

  handleEcho(_context, text) {
    if (typeof text !== "string") throw new EventError("INVALID_INPUT", "a text, please");
    return text;
  }
}

/** What a client gets for each of these payloads, from a server that is gone again afterwards. */
exports.replies = async (...payloads) => {
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
};

exports.expected = ["hi", { error: { code: "INVALID_INPUT", message: "a text, please" } }];
