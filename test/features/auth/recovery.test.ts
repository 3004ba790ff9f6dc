import { once } from "node:events";
import type { Socket as ClientSocket } from "socket.io-client";
import { describe, expect, it } from "vitest";
import { recoverAfterAsking, ServiceManager, SocketIngress } from "socket-ingress";
import { Auth } from "socket-ingress/auth";
import { recordingLog } from "../../fixtures/recording-log.js";
import { serve } from "../../fixtures/serve.js";
import { type Gate, type GateOptions, open, secret, tokenOf } from "./gate.js";

const recovery = { connectionStateRecovery: { skipMiddlewares: false } };
const recovering = (options: GateOptions = {}): Promise<Gate> =>
  open({ server: { ...recovery, adapter: recoverAfterAsking() }, ...options });

/** A client in a topic, with an offset to recover from, and everything it hears. */
async function member(
  gate: Gate,
  token: unknown,
): Promise<{ readonly client: ClientSocket; readonly heard: unknown[] }> {
  const client = await gate.enter(token);
  const heard: unknown[] = [];
  client.on("news", (n) => heard.push(n));
  await client.emitWithAck("ingress:join", "hall");
  await gate.realtime.emitSocket("news", 0, { topic: "hall" });
  await expect.poll(() => heard).toEqual([0]);
  return { client, heard };
}

/** Cuts the client's transport, and resolves when the server has noticed. */
async function cut(gate: Gate, client: ClientSocket): Promise<void> {
  const gone = once(gate.served.serverSide(client), "disconnect");
  client.io.engine.close();
  await gone;
}

/** Comes back, with this token and the recovery id it has. */
function back(client: ClientSocket, token: unknown): Promise<unknown> {
  client.auth = { token };
  return new Promise((resolve) => {
    client.once("connect", () => resolve("in"));
    client.once("connect_error", (error) => resolve((error as { data?: unknown }).data));
    client.connect();
  });
}

describe("a connection that Socket.IO recovers", { timeout: 30_000 }, () => {
  it("is given what it missed once its token has been looked at", async () => {
    await using gate = await recovering();
    const { client, heard } = await member(gate, await tokenOf("ann"));
    const { id } = client;
    await cut(gate, client);
    await gate.realtime.emitSocket("news", 1, { topic: "hall" });
    expect(await back(client, await tokenOf("ann"))).toBe("in");
    expect([client.recovered, client.id]).toEqual([true, id]);
    await expect.poll(() => heard).toEqual([0, 1]);
    expect(gate.auth.claimsOf(gate.served.serverSide(client))?.user).toBe("ann");
  });

  it("10. Recovery: a revoked or expired user gets no packet.", async () => {
    await using gate = await recovering();
    for (const how of ["revoked", "expired"] as const) {
      const { client, heard } = await member(gate, await tokenOf("ann", {}, { issuedAt: Date.now() / 1_000 + 2 }));
      await cut(gate, client);
      await gate.realtime.emitSocket("news", 1, { topic: "hall" });
      const packets: unknown[] = [];
      client.onAny((...packet: unknown[]) => packets.push(packet));
      if (how === "revoked") await gate.auth.revoke({ user: "ann" });
      const token =
        how === "revoked"
          ? await tokenOf("ann", {}, { issuedAt: Date.now() / 1_000 - 60 })
          : await tokenOf("ann", {}, { expiresInMs: -1_000, issuedAt: Date.now() / 1_000 + 2 });
      expect(await back(client, token)).toMatchObject({ code: "UNAUTHENTICATED", details: { reason: how } });
      expect(packets).toEqual([]);
      expect(heard).toEqual([0]);
    }
  });

  it("whose id is brought back by another user gives them nothing of what it missed, and lets them in as themselves", async () => {
    for (const another of ["eve", undefined]) {
      await using gate = await recovering({ optional: true });
      const { client, heard } = await member(gate, await tokenOf("ann"));
      await cut(gate, client);
      await gate.realtime.emitSocket("news", 1, { topic: "hall" });
      const token = another === undefined ? undefined : await tokenOf(another);
      expect(await back(client, token)).toMatchObject({
        code: "FORBIDDEN",
        details: { reason: "otherUser", retryAfterMs: 0 },
      });
      expect(heard).toEqual([0]);
      // The id is spent.
      expect(await back(client, token)).toBe("in");
      expect(client.recovered).toBe(false);
      expect(gate.realtime.identify(gate.served.serverSide(client)).user).toBe(another);
      await client.emitWithAck("sync");
      expect(heard).toEqual([0]);
    }
  });

  it("of a guest who has signed in meanwhile is the user's", async () => {
    await using gate = await recovering({ optional: true });
    const { client } = await member(gate, undefined);
    await client.emitWithAck("ingress:token", await tokenOf("ann"));
    await cut(gate, client);
    expect(await back(client, await tokenOf("ann"))).toBe("in");
    expect(client.recovered).toBe(true);
  });

  it("before anybody is asked is no place for tokens: the door refuses to start, whenever the server comes", async () => {
    for (const early of [true, false]) {
      await using served = await serve(undefined, recovery);
      const ingress = new SocketIngress({ logger: recordingLog(), recovery: "askAgain" });
      const manager = new ServiceManager(early ? served.io : undefined, { ingress, logger: recordingLog() });
      manager.registerHandler(new Auth({ secret }));
      if (early)
        await expect(manager.boot()).rejects.toThrow(/Auth: connectionStateRecovery is on.*recoverAfterAsking/);
      else {
        await manager.boot();
        manager.attach(served.io);
        await expect(served.connect({ auth: { token: await tokenOf("ann") } })).rejects.toMatchObject({
          data: { code: "INTERNAL" },
        });
      }
      await manager.shutdown({ graceMs: 0 });
    }
  });

  it("is told by the ingress", async () => {
    expect(new SocketIngress().recovers).toBe("none");
    await using plain = await serve();
    expect(new SocketIngress().attach(plain.io).recovers).toBe("none");
    await using before = await serve(undefined, recovery);
    expect(new SocketIngress().attach(before.io).recovers).toBe("beforeAsking");
    await using after = await serve(undefined, { ...recovery, adapter: recoverAfterAsking() });
    expect(new SocketIngress().attach(after.io).recovers).toBe("afterAsking");
  });
});
