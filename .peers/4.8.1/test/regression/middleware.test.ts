import { describe, expect, it } from "vitest";
import type { SocketIngressOptions } from "socket-ingress";
import { collect, survivors } from "../adversarial/cycles.js";
import { deferred } from "../fixtures/deferred.js";
import { serveIngress, type ServedIngress } from "../fixtures/ingress.js";

const others = ["a", "b", "c", "d", "e", "f"];

/** A server whose middleware takes the version off a name and has `old` mean `greet`; `held` waits. */
async function renaming(options: SocketIngressOptions = { listeners: "atConnection" }) {
  const gate = deferred();
  const held = deferred();
  const app: ServedIngress = await serveIngress(options);
  app.io.on("connection", (socket) => {
    socket.use((packet, next) => {
      const waits = packet[0] === "v1/held";
      packet[0] = packet[0] === "old" || waits ? "greet" : packet[0].replace(/^v1\//, "");
      if (!waits) return next();
      held.resolve();
      void gate.promise.then(() => next());
    });
  });
  app.ingress.subscribe("greet", (_context, name: string) => `hello ${name}`);
  app.ingress.subscribe("old", () => "old");
  for (const name of others) app.ingress.subscribe(name, () => name);
  return { app, gate, held };
}

describe("an event that the application's middleware renames, with listeners from the start,", () => {
  it("reaches the subscribers of its new name the first time it is sent, with and without a caller", async () => {
    const { app } = await renaming();
    await using _ = app;
    const heard: unknown[] = [];
    const client = await app.connect();
    app.ingress.subscribe("told", (_context, what: string) => void heard.push(what));
    client.emit("v1/told", "first");
    expect(await client.emitWithAck("v1/greet", "Ada")).toBe("hello Ada");
    expect(await client.emitWithAck("greet", "Bob")).toBe("hello Bob");
    expect(await client.emitWithAck("old", "Eve")).toBe("hello Eve");
    expect(heard).toEqual(["first"]);
  });

  it("is answered although middleware kept it while others came and a new one was subscribed to", async () => {
    const { app, gate, held } = await renaming();
    await using _ = app;
    const client = await app.connect();
    const reply = client.emitWithAck("v1/held", "Ada");
    await held.promise;
    app.ingress.subscribe("late", () => "late");
    expect(await client.emitWithAck("late")).toBe("late");
    for (const name of others) expect(await client.emitWithAck(name)).toBe(name);
    gate.resolve();
    expect(await reply).toBe("hello Ada");
  });

  it("gets its own reply, however many renamed ones come after it", async () => {
    const { app } = await renaming();
    await using _ = app;
    const gate = deferred();
    app.ingress.subscribe("slow", async () => {
      await gate.promise;
      return "slow";
    });
    const client = await app.connect();
    const slow = client.emitWithAck("v1/slow");
    for (let n = 0; n < 1_050; n += 50) {
      const replies = await Promise.all(Array.from({ length: 50 }, () => client.emitWithAck("v1/greet", n)));
      expect(new Set(replies)).toEqual(new Set([`hello ${n}`]));
    }
    gate.resolve();
    expect(await slow).toBe("slow");
    expect(app.ingress.counters.unknownEvents).toBe(0);
  });

  it("finds one listener of ours on its socket, and none once nobody subscribes", async () => {
    const { app } = await renaming();
    await using _ = app;
    const client = await app.connect();
    for (const name of others) expect(await client.emitWithAck(name)).toBe(name);
    const socket = app.serverSide(client);
    expect(others.map((name) => socket.listenerCount(name))).toEqual(others.map(() => 1));
    app.ingress.clear();
    expect(others.map((name) => socket.listenerCount(name))).toEqual(others.map(() => 0));
  });
});

/** A server whose middleware answers all but `other` itself: `slow` when `gate` opens. */
async function answering() {
  const gate = deferred();
  const callers: WeakRef<object>[] = [];
  const app = await serveIngress();
  app.io.on("connection", (socket) => {
    socket.use((packet, next) => {
      const reply: unknown = packet.at(-1);
      if (packet[0] === "other" || typeof reply !== "function") return next();
      callers.push(new WeakRef(reply));
      if (packet[0] === "slow") void gate.promise.then(() => reply("slow"));
      else reply("by the middleware");
    });
  });
  app.ingress.subscribe("other", () => true);
  return { app, gate, callers };
}

describe("callers whom the application's middleware answers itself", () => {
  it("are not remembered without end", async () => {
    const { app, callers } = await answering();
    await using _ = app;
    const client = await app.connect();
    for (let round = 0; round < 50; round++) {
      const replies = await Promise.all(Array.from({ length: 100 }, () => client.emitWithAck("answered")));
      expect(new Set(replies)).toEqual(new Set(["by the middleware"]));
    }
    collect();
    expect(callers).toHaveLength(5_000);
    expect(await survivors(callers)).toBeLessThanOrEqual(1_000);
  });

  it("get that answer, however late it comes and however many came after them, and are not counted as unknown", async () => {
    const { app, gate } = await answering();
    await using _ = app;
    const client = await app.connect();
    const slow = [client.emitWithAck("slow"), client.emitWithAck("slow")];
    for (let round = 0; round < 11; round++) {
      await Promise.all(Array.from({ length: 100 }, () => client.emitWithAck("quick")));
    }
    gate.resolve();
    expect(await Promise.all(slow)).toEqual(["slow", "slow"]);
    expect(app.ingress.counters.unknownEvents).toBe(0);
    expect(await client.emitWithAck("other")).toBe(true);
  });
});
