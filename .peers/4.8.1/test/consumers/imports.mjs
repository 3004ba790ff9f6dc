// Fails unless `import` alone gives a server that answers.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { Server } from "socket.io";
import { io as connect } from "socket.io-client";
import { EventError, Handler, ServiceManager } from "socket-ingress";
import { createClient, EventFailure } from "socket-ingress/client";

class Shop extends Handler {
  name = "shop";
  events = { buy: "onBuy" };
  onBuy(_context, id) {
    if (id !== 1) throw new EventError("OUT_OF_STOCK", "none left");
    return { id };
  }
}

const http = createServer();
const line = () => {};
const quiet = { trace: line, debug: line, info: line, warn: line, error: line, fatal: line, child: () => quiet };
const manager = new ServiceManager(new Server(http), { logger: quiet }).registerHandler(new Shop());
await manager.boot();
await new Promise((resolve) => http.listen(0, "127.0.0.1", resolve));
const client = createClient(connect(`http://127.0.0.1:${http.address().port}`, { transports: ["websocket"] }));
assert.deepEqual(await client.call("buy", 1), { id: 1 });
await assert.rejects(client.call("buy", 2), (error) => error instanceof EventFailure && error.code === "OUT_OF_STOCK");
client.socket.disconnect();
await manager.shutdown();
