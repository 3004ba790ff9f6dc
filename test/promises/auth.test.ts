import { describe, expect, it, vi } from "vitest";
import { MemoryRevocations } from "socket-ingress/auth";
import { inMemory, memoryCluster } from "socket-ingress/testing";
import { ended, type Gate, lives, open, tokenOf, whyOf } from "../features/auth/gate.js";
import { deferred } from "../fixtures/deferred.js";
import { connected } from "../fixtures/serve.js";

// One test for the promise of auth, named by its sentence, over real sockets and in memory. Redis is in test/features/auth.

describe.each([
  ["over real sockets", false],
  ["in memory", true],
])("%s", (_where, memory) => {
  it.each(["expired", "revoked"] as const)(
    "35. *Auth*: from expiry or revocation on none of its events begins, waiting ones included; its socket leaves all rooms in the same turn and is cut. Other nodes follow when the revocation reaches them; `complete: false` names silence. (%s)",
    async (how) => {
      const { adapter } = memoryCluster();
      const revocations = new MemoryRevocations();
      const claims = how === "expired" ? lives(4_000) : lives();
      const node = (): Promise<Gate> => open({ server: { adapter }, revocations, ingress: { maxInFlight: 1 }, claims });
      await using here = await node();
      await using there = await node();
      const [go, began] = [deferred(), deferred()];
      const ran: unknown[] = [];
      here.ingress.subscribe("slow", async (_context, n) => {
        ran.push(n);
        began.resolve();
        await go.promise;
      });
      const enter = async (gate: Gate) => {
        const app = memory ? await inMemory(gate.served.io) : gate.served;
        const client = app.client({ auth: { token: await tokenOf("ann") } });
        await connected(client);
        await client.emitWithAck("ingress:join", "hall");
        return client;
      };
      const client = await enter(here);
      const other = await enter(there);
      const heard: unknown[] = [];
      client.on("news", (n) => heard.push(n));
      const socket = [...here.served.io.of("/").sockets.values()][0];
      const rooms: number[] = [];
      socket?.once("disconnect", () => rooms.push(socket.rooms.size));

      const answers: unknown[] = [];
      for (const n of [1, 2, 3]) client.emit("slow", n, (answer: unknown) => answers.push(whyOf(answer)));
      await began.promise;
      const over = ended(client);
      const elsewhere = ended(other);
      if (how === "revoked") expect(await here.auth.revoke({ user: "ann" })).toEqual({ sockets: 2, complete: true });
      expect(await over).toMatchObject({ code: "UNAUTHENTICATED", reason: how });
      await here.realtime.emitSocket("news", 1, { topic: "hall" });
      go.resolve();
      expect(rooms).toEqual([0]);
      expect(answers).toEqual([
        ["UNAUTHENTICATED", how],
        ["UNAUTHENTICATED", how],
      ]);
      expect(ran).toEqual([1]);
      expect(heard).toEqual([]);
      if (how === "expired") return;

      expect(await elsewhere).toMatchObject({ reason: "revoked" });
      const adapterThere = there.served.io.of("/").adapter as unknown as { onMessage: (message: unknown) => void };
      vi.spyOn(adapterThere, "onMessage").mockImplementation(() => undefined);
      expect(await here.auth.revoke({ user: "ann" })).toEqual({ sockets: 0, complete: false });
    },
  );
});
