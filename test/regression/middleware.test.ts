import { describe, expect, it } from "vitest";
import { collect, survivors } from "../adversarial/cycles.js";
import { serveIngress } from "../fixtures/ingress.js";

describe("an event that the application's middleware renames", () => {
  it("reaches the subscribers of its new name the first time it is sent", async () => {
    await using app = await serveIngress();
    app.io.on("connection", (socket) => {
      socket.use((packet, next) => {
        packet[0] = packet[0].replace(/^v1\//, "");
        next();
      });
    });
    const heard: unknown[] = [];
    app.ingress.subscribe("greet", (_context, name: string) => `hello ${name}`);
    app.ingress.subscribe("told", (_context, what: string) => void heard.push(what));
    const client = await app.connect();
    client.emit("v1/told", "first");
    expect(await client.emitWithAck("v1/greet", "Ada")).toBe("hello Ada");
    expect(await client.emitWithAck("greet", "Bob")).toBe("hello Bob");
    expect(heard).toEqual(["first"]);
    app.ingress.clear();
    expect(app.serverSide(client).listenerCount("greet")).toBe(0);
  });

  it("costs a socket whose events the application handles itself no listener of ours", async () => {
    await using app = await serveIngress();
    app.io.on("connection", (socket) => socket.on("own", (reply: (value: string) => void) => reply("mine")));
    for (let n = 0; n < 50; n++) app.ingress.subscribe(`event ${n}`, () => n);
    const client = await app.connect();
    expect(await client.emitWithAck("own")).toBe("mine");
    const carried = app.serverSide(client).eventNames();
    expect(carried.filter((name) => String(name).startsWith("event"))).toEqual([]);
  });
});

it("callers whom the application's middleware answers itself are not remembered", async () => {
  await using app = await serveIngress();
  const callers: WeakRef<object>[] = [];
  app.io.on("connection", (socket) => {
    socket.use((packet, next) => {
      const reply: unknown = packet.at(-1);
      if (packet[0] !== "answered" || typeof reply !== "function") return next();
      callers.push(new WeakRef(reply));
      reply("by the middleware");
    });
  });
  app.ingress.subscribe("other", () => true);
  const client = await app.connect();
  for (let round = 0; round < 50; round++) {
    const replies = await Promise.all(Array.from({ length: 100 }, () => client.emitWithAck("answered")));
    expect(new Set(replies)).toEqual(new Set(["by the middleware"]));
  }
  collect();
  expect(callers).toHaveLength(5_000);
  expect(await survivors(callers)).toBeLessThanOrEqual(1_000);
});
