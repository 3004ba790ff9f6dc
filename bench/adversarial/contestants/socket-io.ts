/** Bare Socket.IO, as its own documentation writes handlers: `socket.on(event, (payload, callback) => ...)`. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { Server, type Socket } from "socket.io";

import {
  connectFaults,
  connectionFaults,
  disconnectFaults,
  faults,
  slowConnect,
  type Tools,
} from "../../../test/adversarial/faults.ts";
import { delays, report, slowly } from "../../../test/adversarial/host.ts";

type Callback = (value?: unknown) => void;

const http = createServer();
const io = new Server(http);

const tools = (socket: Socket, payload?: unknown, callback?: Callback): Tools => ({
  ...delays,
  payload,
  ...(callback && { reply: callback }),
  disconnect: () => socket.disconnect(true),
});

io.on("connection", (socket) => {
  socket.on("honest", (n: number, callback: Callback) => callback({ ok: n + 1 }));
  socket.on("echo", (payload: unknown, callback: Callback) => callback(payload));
  socket.on("slow", async ({ ms }: { ms: number }, callback: Callback) => {
    await slowly(ms);
    callback("slow");
  });
  for (const fault of faults) {
    const event = `fault:${fault.id}`;
    if (fault.needs === "reply") {
      socket.on(event, (payload: unknown, callback: Callback) => fault.run(tools(socket, payload, callback)));
    } else if (fault.async) {
      socket.on(event, async (payload: unknown, callback: Callback) =>
        callback(await fault.run(tools(socket, payload))),
      );
    } else if (fault.id.startsWith("thenable-")) {
      // Whoever calls something that returns a promise awaits it.
      socket.on(event, async (payload: unknown, callback: Callback) =>
        callback(await fault.run(tools(socket, payload))),
      );
    } else {
      socket.on(event, (payload: unknown, callback: Callback) => callback(fault.run(tools(socket, payload))));
    }
  }
});

for (const { id, run } of connectFaults) {
  io.of(`/connect-${id}`).use(async (_socket, next) => {
    if ((await run({ ...delays })) === false) next(new Error("refused"));
    else next();
  });
}
io.of("/connect-slow").use((_socket, next) => void slowConnect({ slowly }).then(() => next()));
for (const { id, run } of connectionFaults) {
  io.of(`/connection-${id}`).on("connection", (socket) => {
    socket.on("honest", (n: number, callback: Callback) => callback({ ok: n + 1 }));
    return run({ ...delays });
  });
}
for (const { id, run } of disconnectFaults) {
  io.of(`/disconnect-${id}`).on("connection", (socket) => {
    socket.on("disconnect", () => run({ ...delays }));
  });
}

http.listen(0, "127.0.0.1", () => {
  report(
    {
      port: (http.address() as AddressInfo).port,
      dialect: "plain",
      abilities: ["reply", "connect", "connection", "disconnect", "shutdown"],
    },
    { shutdown: () => io.close() },
  );
});
