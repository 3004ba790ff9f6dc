import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { Server } from "socket.io";
import { io as connect } from "socket.io-client";
import { SocketIngress, type EventContext } from "socket-ingress";
import { expect, test } from "vitest";

import { nowhere } from "./cycles.js";

test("an honest client's burst of 1,000 buffered emits after a reconnect is served, in order, not banned", async () => {
  const http = createServer();
  const io = new Server(http);
  const ingress = new SocketIngress({ logger: nowhere }).attach(io);
  const seen: number[] = [];
  ingress.subscribe("note", async (_context: EventContext, n: number) => {
    seen.push(n);
    await new Promise((resolve) => setImmediate(resolve));
    return n;
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  const client = connect(`http://127.0.0.1:${(http.address() as AddressInfo).port}`, {
    transports: ["websocket"],
    forceNew: true,
  });
  try {
    await once(client as never, "connect");
    expect(await client.emitWithAck("note", -1)).toBe(-1);
    client.disconnect();
    const replies = Array.from({ length: 1_000 }, (_, n) => client.emitWithAck("note", n));
    client.connect();
    expect(await Promise.all(replies)).toEqual(Array.from({ length: 1_000 }, (_, n) => n));
    expect(seen.slice(1)).toEqual(Array.from({ length: 1_000 }, (_, n) => n));
    expect(await client.emitWithAck("note", 1_000)).toBe(1_000);
  } finally {
    client.close();
    await ingress.detach();
    await io.close();
  }
});
