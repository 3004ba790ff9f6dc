import { loopTime } from "../../fixtures/loop-time.js";
import { describe, expect, it, vi } from "vitest";
import { Auth, MemoryRevocations, type Revocations } from "socket-ingress/auth";
import { contract, memoryCluster } from "socket-ingress/testing";
import { deferred } from "../../fixtures/deferred.js";
import { ended, type Gate, type GateOptions, open, secret, timeless, tokenOf, whyOf } from "./gate.js";

const revoked = { code: "UNAUTHENTICATED", message: "you were signed out", reason: "revoked" };
const refusedAsRevoked = { code: "UNAUTHENTICATED", details: { reason: "revoked" } };

/** Two servers that hear each other, with a store that they share. */
async function pair(options: GateOptions = {}): Promise<{ readonly nodes: readonly [Gate, Gate] } & AsyncDisposable> {
  const { adapter } = memoryCluster();
  const revocations = new MemoryRevocations();
  const gate = (): Promise<Gate> => open({ server: { adapter }, revocations, ...options });
  const nodes = [await gate(), await gate()] as const;
  return {
    nodes,
    [Symbol.asyncDispose]: async () => {
      for (const node of nodes) await node[Symbol.asyncDispose]();
    },
  };
}

describe("a revocation", { timeout: 30_000 }, () => {
  it.each([
    ["user", { user: "ann" }, 3],
    ["session", { session: "s1" }, 2],
  ] as const)("9. `revoke` of a %s: cut on every node within a second", async (_what, who, count) => {
    await using cluster = await pair();
    const [here, there] = cluster.nodes;
    const first = await here.enter(await tokenOf("ann", { sid: "s1" }));
    const second = await there.enter(await tokenOf("ann", { sid: "s1" }));
    const other = await there.enter(await tokenOf("ann", { sid: "s2" }));
    const bob = await there.enter(await tokenOf("bob", { sid: "s3" }));
    const meant = count === 3 ? [first, second, other] : [first, second];
    const all = Promise.all(meant.map(ended));
    using time = loopTime();
    expect(await here.auth.revoke(who)).toEqual({ sockets: count, complete: true });
    expect(await all).toEqual(meant.map(() => revoked));
    // Loosely: other programs may have the processor.
    expect(time.ms).toBeLessThan(4_000);
    expect(await bob.emitWithAck("say", "hi")).toBe(1);
    expect(other.connected).toBe(count === 2);
    for (const gate of cluster.nodes) {
      const old = await tokenOf("ann", { sid: "s1" }, { issuedAt: Math.floor(Date.now() / 1_000) - 60 });
      expect(await gate.refused(old)).toMatchObject(refusedAsRevoked);
      expect(
        (await gate.enter(await tokenOf("ann", { sid: "s4" }, { issuedAt: Date.now() / 1_000 + 1 }))).connected,
      ).toBe(true);
    }
  });

  it("9. `complete: false` when a node is silent; those that are heard are cut", async () => {
    await using cluster = await pair();
    const [here, there] = cluster.nodes;
    const first = await here.enter(await tokenOf("ann"));
    const second = await there.enter(await tokenOf("ann"));
    const adapter = there.served.io.of("/").adapter as unknown as { onMessage: (message: unknown) => void };
    const onMessage = adapter.onMessage.bind(adapter);
    adapter.onMessage = () => undefined;
    expect(await here.auth.revoke({ user: "ann" })).toEqual({ sockets: 1, complete: false });
    expect(first.connected).toBe(false);
    expect(second.connected).toBe(true);
    // And again, once it is heard.
    adapter.onMessage = onMessage;
    expect(await here.auth.revoke({ user: "ann" })).toEqual({ sockets: 1, complete: true });
  });

  it("covers this node without a `Realtime`, and says so where there are others", async () => {
    await using alone = await open({ alone: true });
    const client = await alone.enter(await tokenOf("ann"));
    const over = ended(client);
    expect(await alone.auth.revoke({ user: "ann" }, { message: "you were away for too long" })).toEqual({
      sockets: 1,
      complete: true,
    });
    expect(await over).toEqual({ ...revoked, message: "you were away for too long" });
    await using cluster = await pair({ alone: true });
    expect(await cluster.nodes[0].auth.revoke({ user: "ann" })).toEqual({ sockets: 0, complete: false });
  });

  it("ends what waits, and nothing of it begins any more", async () => {
    await using gate = await open({ ingress: { maxInFlight: 1 } });
    const [go, began] = [deferred(), deferred()];
    const ran: unknown[] = [];
    gate.ingress.subscribe("slow", async (_context, n) => {
      ran.push(n);
      began.resolve();
      await go.promise;
    });
    const client = await gate.enter(await tokenOf("ann"));
    const answers: unknown[] = [];
    for (const n of [1, 2, 3]) client.emit("slow", n, (answer: unknown) => answers.push(whyOf(answer)));
    await began.promise;
    // One that is refused at once: those before it are here, too.
    const mark = deferred();
    gate.ingress.beforeEvent(({ event }) => void (event === "mark" && mark.resolve()));
    client.emit("mark");
    await mark.promise;
    const over = ended(client);
    expect(await gate.auth.revoke({ user: "ann" })).toMatchObject({ sockets: 1 });
    await over;
    go.resolve();
    expect(answers).toEqual([
      ["UNAUTHENTICATED", "revoked"],
      ["UNAUTHENTICATED", "revoked"],
    ]);
    expect(ran).toEqual([1]);
  });

  it.each(["interceptor", "guard"] as const)(
    "ends an event of which an %s of the door still asks the application",
    async (kind) => {
      const [go, began] = [deferred(), deferred()];
      let holds = false;
      await using gate = await open({
        claims: async () => {
          if (!holds) return;
          began.resolve();
          await go.promise;
        },
      });
      const ran: unknown[] = [];
      const by = kind === "guard" ? {} : { use: [gate.auth.require()] };
      if (kind === "guard") gate.ingress.subscribe("pay", gate.auth.guard(), { guard: true });
      gate.ingress.subscribe("pay", () => ran.push("paid"), by);
      const client = await gate.enter(await tokenOf("ann"));
      const over = ended(client);
      holds = true;
      client.emit("pay");
      await began.promise;
      await gate.auth.revoke({ user: "ann" });
      await over;
      go.resolve();
      // Nothing but promises is between the answer and the event.
      await new Promise(setImmediate);
      expect(ran).toEqual([]);
    },
  );

  it("counts nobody who has gone while their token was being refreshed", async () => {
    const [go, began] = [deferred(), deferred()];
    let holds = false;
    await using gate = await open({
      claims: async () => {
        if (!holds) return;
        began.resolve();
        await go.promise;
      },
    });
    const client = await gate.enter(await tokenOf("ann"));
    const socket = gate.served.serverSide(client);
    holds = true;
    client.emit("ingress:token", await tokenOf("ann", { n: 2 }));
    await began.promise;
    const gone = new Promise((resolve) => socket.once("disconnect", resolve));
    client.disconnect();
    await gone;
    go.resolve();
    await vi.waitFor(() => expect(gate.auth.claimsOf(socket)?.token).toMatchObject({ n: 2 }));
    expect(await gate.auth.revoke({ user: "ann" })).toEqual({ sockets: 0, complete: true });
  });

  it("of others holds up nobody who comes in", async () => {
    let asked = 0;
    const store = new MemoryRevocations();
    const revocations: Revocations = {
      revoke: (who, at) => store.revoke(who, at),
      async revokedUntil(bearer) {
        // Somebody else is signed out each time anybody is looked up.
        if (++asked < 50) void gate.auth.revoke({ user: `other ${asked}` });
        return store.revokedUntil(bearer);
      },
    };
    await using gate = await open({ revocations });
    await gate.enter(await tokenOf("ann"));
    expect(asked).toBeLessThan(5);
  });

  it("9. Revoked while the token is being refreshed: the revocation wins.", async () => {
    for (const at of ["claims", "store"] as const) {
      const [go, began] = [deferred(), deferred()];
      let holds = false;
      const store = new MemoryRevocations();
      const wait = async (): Promise<void> => {
        if (!holds) return;
        holds = false;
        began.resolve();
        await go.promise;
      };
      const revocations: Revocations = {
        revoke: (who, until) => store.revoke(who, until),
        async revokedUntil(bearer) {
          const until = store.revokedUntil(bearer);
          if (at === "store") await wait();
          return until;
        },
      };
      await using gate = await open({ revocations, claims: async () => (at === "claims" ? wait() : undefined) });
      const client = await gate.enter(await tokenOf("ann", { roles: ["a"] }));
      const socket = gate.served.serverSide(client);
      const over = ended(client);
      holds = true;
      // Of a time to come: by its age alone it would count.
      client.emit("ingress:token", await tokenOf("ann", {}, { issuedAt: Date.now() / 1_000 + 30 }));
      await began.promise;
      expect(await gate.auth.revoke({ user: "ann" })).toMatchObject({ sockets: 1 });
      go.resolve();
      expect(await over).toEqual(revoked);
      await vi.waitFor(() => expect(socket.connected).toBe(false));
      expect(gate.auth.claimsOf(socket)).toMatchObject({ roles: ["a"] });
    }
  });

  it.each(["claims", "store", "guard"] as const)(
    "while somebody is being let in wins, too: in their %s",
    async (at) => {
      const [go, began] = [deferred(), deferred()];
      const store = new MemoryRevocations();
      let holds = true;
      const wait = async (): Promise<void> => {
        if (!holds) return;
        holds = false;
        began.resolve();
        await go.promise;
      };
      const revocations: Revocations = {
        revoke: (who, until) => store.revoke(who, until),
        async revokedUntil(bearer) {
          const until = store.revokedUntil(bearer);
          if (at === "store") await wait();
          return until;
        },
      };
      const told: unknown[] = [];
      await using gate = await open({
        revocations,
        claims: async () => (at === "claims" ? wait() : undefined),
        before: ({ ingress }) => {
          if (at === "guard") ingress.subscribe("connect", wait, { guard: true });
          ingress.subscribe("connection", () => void told.push("connection"));
        },
      });
      const client = gate.served.client({ auth: { token: await tokenOf("ann") } });
      const refused = new Promise((resolve) =>
        client.once("connect_error", (error) => resolve((error as { data?: unknown }).data)),
      );
      const over = new Promise((resolve) => client.once("ingress:ended", resolve));
      client.connect();
      await began.promise;
      await gate.auth.revoke({ user: "ann" });
      go.resolve();
      if (at === "guard") expect(await over).toMatchObject({ reason: "revoked" });
      else expect(await refused).toMatchObject(refusedAsRevoked);
      expect(told).toEqual([]);
    },
  );

  it("9. `iat` is in whole seconds: a token issued in the second of the revocation is handled rightly", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: 1_800_000_000_400 });
    try {
      await using gate = await timeless();
      const issued = (iat: number): Promise<string> => tokenOf("ann", { iat });
      const before = await issued(1_800_000_000);
      const client = await gate.io.connect({ auth: { token: before } });
      expect(await gate.auth.revoke({ user: "ann" })).toMatchObject({ sockets: 1 });
      expect(client.connected).toBe(false);
      vi.setSystemTime(1_800_000_000_700);
      // Nobody can tell whether it is older than the revocation: it does not come in, and may come back with the next.
      for (const token of [before, await issued(1_800_000_000)])
        await expect(gate.io.connect({ auth: { token } })).rejects.toMatchObject({
          data: { code: "UNAUTHENTICATED", details: { reason: "revoked", retryAfterMs: 300 } },
        });
      await expect(gate.io.connect({ auth: { token: await issued(1_800_000_000.3) } })).rejects.toMatchObject({
        data: refusedAsRevoked,
      });
      // One that says it exactly is told apart.
      expect((await gate.io.connect({ auth: { token: await issued(1_800_000_000.6) } })).connected).toBe(true);
      vi.setSystemTime(1_800_000_001_000);
      expect((await gate.io.connect({ auth: { token: await issued(1_800_000_001) } })).connected).toBe(true);
      await expect(gate.io.connect({ auth: { token: before } })).rejects.toMatchObject({
        data: { details: { reason: "revoked" } },
      });
      await expect(gate.io.connect({ auth: { token: before } })).rejects.not.toHaveProperty(
        "data.details.retryAfterMs",
      );
    } finally {
      vi.useRealTimers();
    }
  });

  it("hits a token that does not say when it was issued", async () => {
    const auth = new Auth({ secret });
    const token = await tokenOf("ann", {}, { issuedAt: undefined });
    expect((await auth.verify(token)).user).toBe("ann");
    await auth.revoke({ user: "ann" });
    await expect(auth.verify(token)).rejects.toMatchObject(refusedAsRevoked);
  });

  it("hits one by an issuer whose clock is ahead, as far as that is tolerated", async () => {
    const ahead = { issuedAt: Date.now() / 1_000 + 5 };
    const [strict, tolerant] = [new Auth({ secret }), new Auth({ secret, clockToleranceMs: 10_000 })];
    const token = await tokenOf("ann", {}, ahead);
    await Promise.all([strict.revoke({ user: "ann" }), tolerant.revoke({ user: "ann" })]);
    expect((await strict.verify(token)).user).toBe("ann");
    await expect(tolerant.verify(token)).rejects.toMatchObject(refusedAsRevoked);
  });

  it("says nothing to clients but what is a text", async () => {
    await using gate = await open();
    for (const message of ["", 5, () => "no"])
      expect(() => gate.auth.revoke({ user: "ann" }, { message: message as string })).toThrow(
        "Auth.revoke: message must be a non-empty string",
      );
  });

  it("does not mean who signs in with a new token while it is being written down", async () => {
    const revocations: Revocations = new MemoryRevocations();
    const [asked, go] = [deferred(), deferred()];
    await using gate = await open({ revocations });
    vi.spyOn(revocations, "revoke").mockImplementationOnce(() => {
      asked.resolve();
      return go.promise;
    });
    const revoking = gate.auth.revoke({ user: "ann" });
    await asked.promise;
    const again = await gate.enter(await tokenOf("ann", {}, { issuedAt: Date.now() / 1_000 + 5 }));
    go.resolve();
    expect(await revoking).toEqual({ sockets: 0, complete: true });
    expect(again.connected).toBe(true);
  });

  it("that can't be written down has cut all the same, on every node, and tells whoever revoked", async () => {
    const down = new Error("the store is down");
    const revocations: Revocations = { revoke: () => Promise.reject(down), revokedUntil: () => undefined };
    await using cluster = await pair({ revocations });
    const clients = await Promise.all(cluster.nodes.map(async (node) => node.enter(await tokenOf("ann"))));
    const all = Promise.all(clients.map(ended));
    await expect(cluster.nodes[0].auth.revoke({ user: "ann" })).rejects.toBe(down);
    expect(await all).toEqual([revoked, revoked]);
  });

  it("that can't be looked up lets nobody in, and sends nobody to the login", async () => {
    const revocations: Revocations = { revoke: () => undefined, revokedUntil: () => Promise.reject(new Error("down")) };
    await using gate = await open({ revocations });
    expect(await gate.refused(await tokenOf("ann"))).toMatchObject({
      code: "OVERLOADED",
      details: { retryAfterMs: 2_000 },
    });
    expect(gate.log.lines.some(({ level, message }) => level === "error" && message?.includes("revoked"))).toBe(true);
  });
});

describe("revocations in memory", { timeout: 30_000 }, () => {
  for (const { name, run } of contract(new MemoryRevocations())) it(name, run);

  it("are forgotten when the tokens they are about have long expired", () => {
    const store = new MemoryRevocations({ keepMs: 60_000 });
    for (let i = 0; i < 100; i++) store.revoke({ user: `u${i}` }, Date.now() - 61_000);
    store.revoke({ user: "ann" }, Date.now());
    expect(store.size).toBe(1);
    expect(store.revokedUntil({ user: "u1", session: undefined })).toBeUndefined();
  });

  it("are bounded in number, and who is pushed out comes in no more than before", () => {
    const store = new MemoryRevocations({ max: 100 });
    const now = Date.now();
    store.revoke({ user: "ann" }, now);
    for (let i = 0; i < 1_000; i++) store.revoke({ session: `s${i}` }, now + i);
    expect(store.size).toBe(100);
    expect(store.revokedUntil({ user: "ann", session: undefined })).toBeGreaterThanOrEqual(now);
    // Everybody's tokens of that time have gone with hers, and nobody's that are newer than what was pushed out.
    expect(store.revokedUntil({ user: "bob", session: undefined })).toBe(now + 899);
  });

  it.each([[{ keepMs: 0 }], [{ max: 0 }], [{ most: 5 }]])("with %j is a mistake", (options) => {
    expect(() => new MemoryRevocations(options as never)).toThrow(/^MemoryRevocations: /);
  });
});
