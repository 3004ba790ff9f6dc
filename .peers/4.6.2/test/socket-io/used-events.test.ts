import { describe, expect, it } from "vitest";
import { serveIngress } from "../fixtures/ingress.js";

const names = Array.from({ length: 100 }, (_, index) => `event ${index}`);

describe("a socket that sends many different events", () => {
  it("carries one listener of ours for each event it has sent, and every event is answered every time", async () => {
    await using app = await serveIngress();
    for (const name of names) app.ingress.subscribe(name, () => name);
    const client = await app.connect();
    for (let round = 0; round < 3; round++) {
      for (const name of names) {
        expect(await client.emitWithAck(name)).toBe(name);
        expect(app.serverSide(client).listenerCount(name)).toBe(1);
      }
    }
  });

  it("has all of them answered when it sends them at once, whatever middleware keeps for a while", async () => {
    await using app = await serveIngress();
    app.io.on("connection", (socket) => {
      socket.use(([event], next) => {
        if (event.endsWith("7")) setImmediate(next);
        else next();
      });
    });
    for (const name of names) app.ingress.subscribe(name, () => name);
    const client = await app.connect();
    for (let round = 0; round < 3; round++) {
      expect(await Promise.all(names.map((name) => client.emitWithAck(name)))).toEqual(names);
    }
  });

  it("keeps the listeners that are not ours", async () => {
    await using app = await serveIngress();
    const heard: string[] = [];
    app.io.on("connection", (socket) => {
      for (const name of names.slice(0, 50)) socket.on(name, () => heard.push(name));
    });
    for (const name of names) app.ingress.subscribe(name, () => name);
    const client = await app.connect();
    for (const name of names) expect(await client.emitWithAck(name)).toBe(name);
    expect(heard).toEqual(names.slice(0, 50));
    for (const name of names.slice(0, 50)) expect(app.serverSide(client).listenerCount(name)).toBeLessThanOrEqual(2);
  });

  it("carries none once nobody listens any more", async () => {
    await using app = await serveIngress();
    const off = names.map((name) => app.ingress.subscribe(name, () => name));
    const client = await app.connect();
    for (const name of names) await client.emitWithAck(name);
    for (const undo of off) undo();
    expect(names.filter((name) => app.serverSide(client).listenerCount(name) > 0)).toEqual([]);
  });
});
