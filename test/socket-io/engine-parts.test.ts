import { expect, it } from "vitest";
import { RawPolling } from "../fixtures/raw-polling.js";
import { received, serve } from "../fixtures/serve.js";

// Members of Engine.IO that its types call private or protected, and that this package reads all the same: what they are in the
// version that is installed. CI runs this with Socket.IO from both ends of the range.

interface Parts {
  readonly server?: { readonly clients?: Record<string, unknown> };
  readonly writeBuffer?: { readonly type: string; readonly data?: unknown }[];
  readonly transport: { readonly socket?: { readonly bufferedAmount?: unknown } };
}

it("a connection knows its engine, and an engine its connections by id", async () => {
  await using app = await serve();
  const client = await app.connect();
  const { conn } = app.serverSide(client);
  const { server } = conn as unknown as Parts;
  expect(server).toBe(app.io.engine);
  expect(Object.values(server?.clients ?? {})).toEqual([conn]);
});

it("what waits to be written to a connection is a list of packets with their data", async () => {
  await using app = await serve();
  await RawPolling.open(app.url).then((client) => client.post(["40"]));
  const [socket] = app.io.sockets.sockets.values();
  socket?.emit("news", "text");
  const { writeBuffer } = (socket as NonNullable<typeof socket>).conn as unknown as Parts;
  expect(writeBuffer?.map(({ type, data }) => [type, data])).toContainEqual(["message", '2["news","text"]']);
});

it("a WebSocket transport knows how much its socket has yet to write", async () => {
  await using app = await serve();
  const client = await app.connect();
  const socket = app.serverSide(client);
  const heard = received(client, "news");
  socket.emit("news");
  await heard;
  expect((socket.conn as unknown as Parts).transport.socket?.bufferedAmount).toBe(0);
});
