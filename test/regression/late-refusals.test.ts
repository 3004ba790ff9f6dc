import { describe, expect, it, vi } from "vitest";
import { deferred } from "../fixtures/deferred.js";
import { codeOf, serveIngress } from "../fixtures/ingress.js";

// The events of a connection that is refused while its `connection` subscribers run were kept, and ran afterwards: as nobody's.

async function serveRefusing(refuse: (socket: import("socket.io").Socket) => void) {
  const app = await serveIngress();
  const [asked, gate] = [deferred(), deferred()];
  const ran: unknown[] = [];
  app.ingress.subscribe("connection", async ({ socket }) => {
    await asked.promise;
    refuse(socket);
    await gate.promise;
  });
  app.ingress.subscribe("pay", (_context, n: number) => void ran.push(n));
  app.ingress.subscribe("disconnect", (_context, reason) => void ran.push(reason));
  return Object.assign(app, { asked, gate, ran });
}

describe("a connection that is refused while its `connection` subscribers run", () => {
  it.each([
    ["socket.disconnect()", (socket) => void socket.disconnect(), "server namespace disconnect"],
    ["socket.disconnect(true)", (socket) => void socket.disconnect(true), "server namespace disconnect"],
    ["socket.conn.close()", (socket) => socket.conn.close(), "forced close"],
  ] satisfies [string, (socket: import("socket.io").Socket) => void, string][])(
    "by %s: what it has sent never runs, and its end is told",
    async (_how, refuse, reason) => {
      await using app = await serveRefusing(refuse);
      const client = await app.connect();
      client.emit("pay", 1);
      client.emit("pay", 2, () => undefined);
      await client.emitWithAck("nobody's").catch(() => undefined);
      const socket = app.serverSide(client);
      const byHand = app.ingress.dispatch("pay", { socket }, 3);
      const gone = new Promise((resolve) => client.once("disconnect", resolve));
      app.asked.resolve();
      await gone;
      expect(codeOf(await byHand)).toBe("DISCONNECTED");
      app.gate.resolve();
      await vi.waitFor(() => expect(app.ran).toEqual([reason]));
    },
  );

  it("what a client has sent that leaves by itself runs all the same (decision 0007)", async () => {
    await using app = await serveRefusing(() => undefined);
    const client = await app.connect();
    client.emit("pay", 1);
    await client.emitWithAck("nobody's");
    client.disconnect();
    app.asked.resolve();
    app.gate.resolve();
    await vi.waitFor(() => expect(app.ran).toEqual([1, "client namespace disconnect"]));
  });

  it("nothing of ours stays on a socket whose `connection` subscribers are done", async () => {
    await using app = await serveRefusing(() => undefined);
    const client = await app.connect();
    app.asked.resolve();
    app.gate.resolve();
    expect(await client.emitWithAck("pay", 1)).toBeUndefined();
    app.ingress.clear();
    expect(app.serverSide(client).listenerCount("disconnect")).toBe(0);
  });
});
