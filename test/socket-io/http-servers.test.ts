import { once } from "node:events";
import { createServer, type Server as HttpServer } from "node:http";
import { connect as connectHttp2, createServer as createHttp2 } from "node:http2";
import type { AddressInfo } from "node:net";
import { Server } from "socket.io";
import { io as openClient, type Socket } from "socket.io-client";
import { describe, expect, it } from "vitest";
import { ServiceManager } from "socket-ingress";
import { deferred } from "../fixtures/deferred.js";
import { deafPeer } from "../fixtures/deaf-peer.js";
import { codeOf } from "../fixtures/ingress.js";
import { recordingLog } from "../fixtures/recording-log.js";
import { connected, serve } from "../fixtures/serve.js";

/** A server on two HTTP servers; Socket.IO knows of the second only. */
async function mirrored() {
  const app = await serve();
  const mirror = createServer();
  app.io.attach(mirror, { serveClient: false });
  mirror.listen(0, "127.0.0.1");
  await once(mirror, "listening");
  const { port } = mirror.address() as AddressInfo;
  const main = app.httpServer;
  return {
    io: app.io,
    main,
    mirror,
    async connectTo(server: HttpServer, namespace = "/"): Promise<Socket> {
      if (server === main) return app.connect({ namespace });
      const options = { transports: ["websocket"], forceNew: true, reconnection: false, autoConnect: false };
      const client = openClient(`http://127.0.0.1:${port}${namespace}`, options);
      await connected(client);
      return client;
    },
    portOf: (server: HttpServer) => (server === mirror ? port : app.port),
    async [Symbol.asyncDispose]() {
      for (const server of [main, mirror]) server.closeAllConnections();
      await app.close();
      main.close();
    },
  };
}

describe("a server on two HTTP servers", () => {
  it("is refused, drained and closed alike on both, and no listener stays on either", async () => {
    await using app = await mirrored();
    const before = [app.main, app.mirror].map((server) =>
      server.eventNames().map((name) => server.listenerCount(name)),
    );
    const manager = new ServiceManager(app.io, { logger: recordingLog(), httpServers: [app.main, app.mirror] });
    app.io.of("/other");
    const gate = deferred();
    const begun = deferred();
    manager.ingress.subscribe("slow", async () => {
      begun.resolve();
      await gate.promise;
      return "slow";
    });
    await manager.boot();
    const clients = [
      await app.connectTo(app.main),
      await app.connectTo(app.mirror),
      await app.connectTo(app.main, "/other"),
    ];
    const gone = clients.map((client) => new Promise((resolve) => client.once("disconnect", resolve)));
    await using deaf = await deafPeer(app.portOf(app.main));
    const slow = clients[0]?.emitWithAck("slow");
    await begun.promise;
    const down = manager.shutdown({ graceMs: 20_000 });
    for (const server of [app.main, app.mirror]) {
      await expect(app.connectTo(server)).rejects.toMatchObject({ data: { code: "SHUTTING_DOWN" } });
    }
    expect(codeOf(await clients[1]?.emitWithAck("slow"))).toBe("SHUTTING_DOWN");
    gate.resolve();
    expect(await slow).toBe("slow");
    expect((await down).failures).toEqual([]);
    expect(await Promise.all(gone)).toEqual(["transport close", "transport close", "transport close"]);
    await deaf.cut;
    expect([app.main.listening, app.mirror.listening]).toEqual([false, false]);
    const after = [app.main, app.mirror].map((server) => server.eventNames().map((name) => server.listenerCount(name)));
    expect(after).toEqual(before);
  });

  it("names an HTTP server that is none", () => {
    expect(() => new ServiceManager(undefined, { logger: recordingLog(), httpServers: [5 as never] })).toThrow(
      /ServiceManager: httpServers must be a list of HTTP servers/,
    );
  });
});

describe("two managers on one server", () => {
  it("the second is not well any more once the first has closed the server", async () => {
    await using app = await serve();
    const [first, second] = [0, 1].map(() => new ServiceManager(app.io, { logger: recordingLog() }));
    await first?.boot();
    await second?.boot();
    expect(second?.health()).toMatchObject({ status: "ok", ready: true, failures: [] });
    await first?.shutdown();
    expect(second?.health()).toMatchObject({
      status: "degraded",
      ready: false,
      failures: [{ kind: "server", name: "http", phase: "stop", reason: "the server was closed" }],
    });
    await second?.shutdown();
    expect(second?.health().status).toBe("stopped");
  });
});

describe("a server on HTTP/2", () => {
  it("is closed although a browser keeps its connection, once that has been answered what it has asked for", async () => {
    const [asked, gate] = [deferred(), deferred()];
    const httpServer = createHttp2((_, response) => {
      asked.resolve();
      void gate.promise.then(() => response.end("answered"));
    });
    const manager = new ServiceManager(new Server(httpServer as never), { logger: recordingLog() });
    await manager.boot();
    httpServer.listen(0, "127.0.0.1");
    await once(httpServer, "listening");
    const address = `http://127.0.0.1:${(httpServer.address() as AddressInfo).port}`;
    const [idle, busy] = [connectHttp2(address), connectHttp2(address)];
    try {
      await Promise.all([once(idle, "connect"), once(busy, "connect")]);
      const request = busy.request({ ":path": "/slow" });
      const answer = request.setEncoding("utf8").toArray();
      await asked.promise;
      const ended = [once(idle, "close"), once(busy, "close")];
      const shutdown = manager.shutdown();
      await ended[0];
      gate.resolve();
      expect([(await answer).join(""), (await shutdown).failures]).toEqual(["answered", []]);
      await ended[1];
    } finally {
      for (const session of [idle, busy]) session.destroy();
      httpServer.close();
    }
  });

  it("is closed at the end of the grace although a request is never answered", async () => {
    const asked = deferred();
    const httpServer = createHttp2(() => asked.resolve());
    const manager = new ServiceManager(new Server(httpServer as never), { logger: recordingLog() });
    await manager.boot();
    httpServer.listen(0, "127.0.0.1");
    await once(httpServer, "listening");
    const session = connectHttp2(`http://127.0.0.1:${(httpServer.address() as AddressInfo).port}`);
    session.on("error", () => undefined);
    const request = session.request({ ":path": "/hangs" });
    request.on("error", () => undefined);
    await asked.promise;
    const closed = once(session, "close");
    expect((await manager.shutdown({ graceMs: 0 })).failures).toEqual([]);
    await closed;
    expect(httpServer.listening).toBe(false);
  });
});
