import { EventError } from "socket-ingress";
import { describe, expect, it, vi } from "vitest";
import { deferred, open } from "./door.js";

describe("a policy that is asked again without an event", () => {
  it("may think as long as an event of this ingress may take", async () => {
    const asked = deferred<AbortSignal>();
    await using door = await open({ ingress: { timeoutMs: 40 } });
    let asks = 0;
    door.realtime.topics.define("room", {
      join: ({ signal }) => {
        asks++;
        if (asks === 1) return true;
        asked.resolve(signal);
        return new Promise(() => undefined);
      },
    });
    const client = await door.enter({ user: "ada" });
    await client.join("room");
    const [socket] = door.served.io.sockets.sockets.values();
    await door.realtime.setUser(socket!, "grace");
    const { reason } = await asked.promise;
    expect(reason).toBeInstanceOf(EventError);
    expect(reason).toMatchObject({ code: "TIMEOUT" });
    expect(await client.next("ingress:evicted")).toMatchObject({ topic: "room", code: "TIMEOUT" });
  });

  it("is told DISCONNECTED by its signal once the client is gone, whenever it looks", async () => {
    const asked = deferred<() => AbortSignal>();
    const go = deferred();
    await using door = await open();
    let asks = 0;
    door.realtime.topics.define("room", {
      join: async (context) => {
        asks++;
        if (asks === 1) return true;
        asked.resolve(() => context.signal);
        await go.promise;
        return true;
      },
    });
    const client = await door.enter({ user: "ada" });
    await client.join("room");
    const [socket] = door.served.io.sockets.sockets.values();
    const changed = door.realtime.setUser(socket!, "grace");
    const signal = await asked.promise;
    client.socket.disconnect();
    await vi.waitFor(() => expect(socket!.connected).toBe(false));
    const { aborted, reason } = signal();
    expect(aborted).toBe(true);
    expect(reason).toBeInstanceOf(EventError);
    expect(reason).toMatchObject({ code: "DISCONNECTED" });
    go.resolve();
    await changed;
  });
});
