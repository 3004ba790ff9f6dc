// Five hundred tests of a handler that close nothing. The process has to end by itself.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type EventContext, type EventMap, Handler } from "socket-ingress";
import { fakeServer, memoryCluster } from "socket-ingress/testing";

class CountHandler extends Handler {
  readonly name = "count";
  readonly events = { count: "handleCount" } satisfies EventMap<CountHandler>;
  #seen = 0;

  handleCount({ socket, signal }: EventContext, by: number): number {
    assert.equal(signal.aborted, false);
    void socket.join("counters");
    socket.to("counters").emit("counted", by);
    return (this.#seen += by);
  }
}

for (let i = 0; i < 500; i++) {
  void test(`count ${i}`, async () => {
    const io =
      i % 2 === 0 ? fakeServer() : fakeServer({ adapter: memoryCluster().adapter, connectionStateRecovery: {} });
    const handler = new CountHandler();
    await handler.setup(io);
    const socket = await io.connect({ data: { i } });
    assert.equal(await socket.receive("count", 1), 1);
    assert.equal(await socket.receive("count", 2), 3);
    if (i % 3 === 0) socket.dropTransport();
  });
}
