import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { Server } from "socket.io";
import { io as connect } from "socket.io-client";
import { createClient } from "socket-ingress/client";
import { keepAuthenticated } from "socket-ingress/auth/client";
import { signIn } from "./accounts.js";
import type { App } from "./app.js";
import { createDesk } from "./desk.js";

const secret = "a secret of thirty-two bytes or more";

void test("who signs in over HTTP has a token that opens the desk", async () => {
  const httpServer = createServer((request, response) => void signIn(request, response, secret));
  const io: App = new Server(httpServer);
  const manager = createDesk(io, secret);
  await manager.boot();
  httpServer.listen(0, "127.0.0.1");
  await once(httpServer, "listening");
  const url = `http://127.0.0.1:${(httpServer.address() as AddressInfo).port}`;
  const post = (password: string) => fetch(url, { method: "POST", body: JSON.stringify({ user: "ada", password }) });

  assert.equal((await post("wrong")).status, 401);
  const socket = connect(url);
  const client = createClient<App>(socket);
  keepAuthenticated(client, { token: async () => (await post("lace")).text() });
  assert.deepEqual(await client.call("get_tickets"), []);
  client.close();
  socket.disconnect();
  await manager.shutdown({ graceMs: 0 });
});
