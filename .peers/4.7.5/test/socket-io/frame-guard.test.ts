import { once } from "node:events";
import { expect, it, vi } from "vitest";
import { WebSocket } from "ws";
import { serveIngress } from "../fixtures/ingress.js";

it("twenty thousand arguments are served; a frame with more closes its connection instead of ending the process", async () => {
  await using app = await serveIngress();
  app.ingress.subscribe("count", (_context, ...args: unknown[]) => args.length);
  const client = await app.connect();
  const count = 19_990;
  expect(await client.emitWithAck("count", ...Array.from({ length: count }, () => 0))).toBe(count);
  expect(
    await client.emitWithAck(
      "count",
      Array.from({ length: 150_000 }, () => 0),
    ),
  ).toBe(1);
  expect(await client.emitWithAck("count", '",['.repeat(30_000))).toBe(1);
  const socket = new WebSocket(`${app.url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`);
  const frames: string[] = [];
  socket.on("message", (data: Buffer) => frames.push(data.toString()));
  await once(socket, "open");
  socket.send("40");
  await vi.waitFor(() => expect(frames.some((frame) => frame.startsWith("40"))).toBe(true));
  socket.send(`421["count"${",0".repeat(150_000)}]`);
  await once(socket, "close");
  expect(await client.emitWithAck("count")).toBe(0);
  await app.ingress.detach();
  // Socket.IO's own.
  expect(app.serverSide(client).conn.listenerCount("data")).toBe(1);
});
