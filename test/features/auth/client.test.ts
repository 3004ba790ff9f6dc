import { describe, expect, it, vi } from "vitest";
import { MemoryRevocations } from "socket-ingress/auth";
import { createClient, EventFailure } from "socket-ingress/client";
import { type GivenToken, keepAuthenticated } from "socket-ingress/auth/client";
import { recordingLogger } from "../../client/fixtures/recorder.js";
import { deferred } from "../../fixtures/deferred.js";
import { type Gate, lives, open, tokenOf } from "./gate.js";

/** A client of a gate that is kept authenticated. */
function keep(gate: Gate, token: () => Promise<GivenToken> | GivenToken, auth?: object) {
  const socket = gate.served.client({
    reconnection: true,
    reconnectionDelay: 20,
    randomizationFactor: 0,
    ...(auth && { auth }),
  });
  const logger = recordingLogger();
  const client = createClient(socket, { logger });
  const ended: EventFailure[] = [];
  const stop = keepAuthenticated(client, { token, onEnded: (failure) => ended.push(failure) });
  return { socket, client, stop, ended, logger };
}

const connected = (client: ReturnType<typeof keep>["client"]): Promise<void> =>
  new Promise((resolve) => void client.onReady(resolve));

describe("a client that is kept authenticated", { timeout: 30_000 }, () => {
  it("3. Expired -> reason `expired`; the client's helper fetches a new one and is in, without a reload.", async () => {
    await using gate = await open();
    const lives = [-5_000, 60_000];
    const { client, socket, ended } = keep(gate, () => tokenOf("ann", {}, { expiresInMs: lives.shift() ?? 60_000 }));
    const refusals: unknown[] = [];
    socket.on("connect_error", (error) => refusals.push((error as { data?: unknown }).data));
    const joined = client.joinTopic("of:ann");
    socket.connect();
    await connected(client);
    await joined;
    expect(refusals).toMatchObject([{ code: "UNAUTHENTICATED", details: { reason: "expired" } }]);
    expect(lives).toEqual([]);
    expect(ended).toEqual([]);
    expect(await client.call("say", "hi")).toBe(1);
    expect(await gate.refused(await tokenOf("ann", {}, { expiresInMs: -5_000 }))).toEqual({
      code: "UNAUTHENTICATED",
      message: "this token has expired",
      details: { reason: "expired" },
    });
  });

  it("8. is refreshed in place before its token expires: same socket, same topics, nothing missed", async () => {
    await using gate = await open({ warnBeforeMs: 3_500, claims: lives(4_000, 4_000) });
    let fetched = 0;
    const { client, socket, ended } = keep(gate, () => (fetched++, tokenOf("ann")));
    socket.connect();
    await connected(client);
    const { id } = socket;
    const lost: unknown[] = [];
    const heard: unknown[] = [];
    await client.joinTopic("of:ann", { onLost: (failure) => lost.push(failure) });
    client.on("news", (n) => heard.push(n));
    socket.on("disconnect", (reason) => lost.push(reason));
    let sent = 0;
    await vi.waitFor(
      async () => {
        void gate.realtime.emitSocket("news", sent++, { topic: "of:ann" });
        if (fetched < 3) throw new Error("not yet");
        await client.call("sync");
      },
      { interval: 50 },
    );
    // Past the end of the second.
    await new Promise((resolve) => setTimeout(resolve, 4_500));
    await client.call("sync");
    expect(fetched).toBe(3);
    expect([socket.id, lost, ended]).toEqual([id, [], []]);
    expect(heard).toEqual(Array.from({ length: sent }, (_, n) => n));
  });

  it("comes back to its topics when its token could not be had in time", async () => {
    await using gate = await open({ claims: lives(3_000) });
    const [go, asked] = [deferred(), deferred()];
    let fetched = 0;
    const { client, socket, ended } = keep(gate, async () => {
      if (++fetched === 1) return tokenOf("ann");
      asked.resolve();
      await go.promise;
      return tokenOf("ann");
    });
    const over = new Promise<void>((resolve) => socket.once("disconnect", () => resolve()));
    socket.connect();
    const joins: unknown[] = [];
    await client.joinTopic("of:ann", {
      onJoined: ({ rejoined }) => joins.push(rejoined),
      onLost: (failure) => joins.push(failure),
    });
    const { id } = socket;
    await asked.promise;
    await over;
    expect(client.status).toMatchObject({ connected: false, willRetry: true });
    go.resolve();
    await vi.waitFor(() => expect(joins).toEqual([false, true]));
    expect(socket.id).not.toBe(id);
    expect(ended).toEqual([]);
    expect(await client.call("say", "back")).toBe(1);
  });

  it("stops when it is revoked, and tells the page why", async () => {
    await using gate = await open();
    let fetched = 0;
    const { client, socket, ended } = keep(gate, () => (fetched++, tokenOf("ann")));
    const other = keep(gate, () => tokenOf("bob"));
    for (const each of [client, other.client]) {
      each.socket.connect?.();
      await connected(each);
    }
    await gate.auth.revoke({ user: "ann" });
    await vi.waitFor(() => expect(ended.length).toBe(1));
    expect(ended[0]).toMatchObject({
      code: "UNAUTHENTICATED",
      message: "you were signed out",
      details: { reason: "revoked" },
    });
    expect(ended[0]).toBeInstanceOf(EventFailure);
    expect(client.status.willRetry).toBe(false);
    // By when one that comes back is back, and has asked for a token.
    const back = new Promise((resolve) => void other.client.onReconnect(resolve));
    other.socket.io.engine.close();
    await back;
    expect([fetched, socket.connected, ended.length]).toEqual([1, false, 1]);
  });

  it.each<[string, () => GivenToken, string]>([
    ["nobody", () => null, "missing"],
    ["somebody forged", () => "forged", "invalid"],
  ])("is told when %s is signed in, and comes in with the next who signs in", async (_who, wrong, reason) => {
    await using gate = await open();
    let signedIn = false;
    const { client, socket, stop, ended } = keep(gate, () => (signedIn ? tokenOf("ann") : wrong()));
    socket.connect();
    await vi.waitFor(() => expect(ended).toMatchObject([{ code: "UNAUTHENTICATED", details: { reason } }]));
    signedIn = true;
    await stop.refresh();
    await connected(client);
    expect(await client.call("say", "hi")).toBe(1);
    expect(ended.length).toBe(1);
  });

  it("who is a guest signs in on the connection there is", async () => {
    await using gate = await open({ optional: true });
    let name: string | undefined;
    const { client, socket, stop } = keep(gate, () => (name === undefined ? undefined : tokenOf(name)));
    socket.connect();
    await connected(client);
    const side = gate.served.serverSide(socket);
    expect(gate.auth.claimsOf(side)).toBeUndefined();
    name = "ann";
    await stop.refresh();
    expect(gate.auth.claimsOf(side)?.user).toBe("ann");
    name = "eve";
    await expect(stop.refresh()).rejects.toMatchObject({ code: "FORBIDDEN", details: { reason: "otherUser" } });
    expect(gate.auth.claimsOf(side)?.user).toBe("ann");
  });

  it.each([
    ["an object", { device: "d1" }],
    ["a function", (send: (auth: object) => void) => void setImmediate(() => send({ device: "d1" }))],
  ])("goes on to say what the application says beside the token: %s", async (_form, auth) => {
    await using gate = await open();
    const { client, socket } = keep(gate, () => tokenOf("ann"), auth);
    socket.connect();
    await connected(client);
    expect(gate.served.serverSide(socket).handshake.auth).toMatchObject({ device: "d1", token: expect.any(String) });
  });

  it.each([
    ["lets guests in", true],
    ["refuses guests", false],
  ])(
    "presents another token to a connection that is being decided about, at a server that %s",
    async (_how, optional) => {
      const [asked, decided] = [deferred(), deferred()];
      await using gate = await open({
        optional,
        before: (manager) =>
          manager.ingress.subscribe("connect", async () => {
            asked.resolve();
            await decided.promise;
          }),
      });
      let signedIn = false;
      const { client, socket, stop, ended } = keep(gate, () => (signedIn ? tokenOf("ann") : undefined));
      const lost: unknown[] = [];
      socket.io.on("close", (reason) => lost.push(reason));
      const opened = new Promise<void>((resolve) => void socket.io.once("open", resolve));
      socket.connect();
      await (optional ? asked.promise : opened);
      signedIn = true;
      await stop.refresh();
      decided.resolve();
      await connected(client);
      await vi.waitFor(() => expect(gate.auth.claimsOf(gate.served.serverSide(socket))?.user).toBe("ann"));
      if (optional) expect(lost).toEqual([]);
      expect(ended).toEqual([]);
    },
  );

  it("says nothing of the token that it began with where nobody is signed in any more", async () => {
    await using gate = await open({ optional: true });
    const { client, socket } = keep(gate, () => undefined, { token: await tokenOf("ann") });
    socket.connect();
    await connected(client);
    expect(gate.auth.claimsOf(gate.served.serverSide(socket))).toBeUndefined();
  });

  it("may be connected before, as a guest", async () => {
    await using gate = await open({ optional: true });
    const socket = await gate.enter();
    keepAuthenticated(createClient(socket), { token: () => tokenOf("ann") });
    await vi.waitFor(() => expect(gate.auth.claimsOf(gate.served.serverSide(socket))?.user).toBe("ann"));
  });

  it("takes a token that can't be had for a network that is down: it asks again, and shows nobody the login", async () => {
    await using gate = await open();
    let tries = 0;
    const { client, socket, ended, logger } = keep(gate, () =>
      ++tries < 3 ? Promise.reject(new Error("no network")) : tokenOf("ann"),
    );
    socket.connect();
    await vi.waitFor(() => expect(client.status.connected).toBe(true));
    expect(tries).toBe(3);
    expect(ended).toEqual([]);
    expect(logger.lines.filter((line) => line.includes("no token could be had")).length).toBe(2);
  });

  it("says one CONNECT for each connection, however long a token takes", async () => {
    await using gate = await open();
    const [go, asked] = [deferred(), deferred()];
    let fetched = 0;
    const { client, socket } = keep(gate, async () => {
      fetched++;
      asked.resolve();
      await go.promise;
      return tokenOf("ann");
    });
    const lost: unknown[] = [];
    socket.io.on("close", (reason) => lost.push(reason));
    const opened = (): Promise<void> => new Promise((resolve) => socket.io.once("open", resolve));
    const first = opened();
    socket.connect();
    await Promise.all([first, asked.promise]);
    const second = opened();
    socket.io.engine.close();
    await second;
    go.resolve();
    await connected(client);
    expect(await client.call("say", "hi")).toBe(1);
    expect([fetched, lost.length]).toEqual([1, 1]);
  });

  it("keeps what else the application says when it connects", async () => {
    await using gate = await open();
    const { client, socket, stop } = keep(gate, () => tokenOf("ann"), { language: "de" });
    socket.connect();
    await connected(client);
    expect(gate.served.serverSide(socket).handshake.auth).toMatchObject({ language: "de", renews: true });
    stop();
    expect(socket.auth).toEqual({ language: "de" });
  });

  it("keeps the token it has where another is refused, and says so in the log", async () => {
    await using gate = await open({ warnBeforeMs: 8_500, claims: lives(10_000) });
    let fetched = 0;
    const { client, socket, logger } = keep(gate, () => tokenOf(++fetched === 1 ? "ann" : "eve"));
    socket.connect();
    await connected(client);
    await vi.waitFor(() => expect(logger.lines.join()).toContain("another token was refused"));
    expect(gate.auth.claimsOf(gate.served.serverSide(socket))?.user).toBe("ann");
    expect(await client.call("say", "still here")).toBe(1);
  });

  it("presents another token again when nobody could look at it", async () => {
    const revocations = new MemoryRevocations();
    await using gate = await open({ revocations, warnBeforeMs: 8_500, claims: lives(10_000) });
    const { client, socket, logger } = keep(gate, () => tokenOf("ann"));
    socket.connect();
    await connected(client);
    const { id } = socket;
    const side = gate.served.serverSide(socket);
    const before = gate.auth.claimsOf(side)?.expiresAt;
    const down = vi.spyOn(revocations, "revokedUntil").mockRejectedValueOnce(new Error("the store is down"));
    await vi.waitFor(() => expect(gate.auth.claimsOf(side)?.expiresAt).not.toBe(before));
    expect(down).toHaveBeenCalledTimes(2);
    expect([socket.id, logger.lines]).toEqual([id, []]);
  });

  it.each(["stopped", "disconnected"] as const)(
    "says nothing of a token that is refused after it was %s",
    async (how) => {
      const [asked, answer] = [deferred(), deferred<false>()];
      let reads = 0;
      await using gate = await open({
        warnBeforeMs: 8_500,
        claims: () => {
          if (++reads === 1) return { expiresAt: Date.now() + 10_000 };
          asked.resolve();
          return answer.promise;
        },
      });
      const { client, socket, stop, logger } = keep(gate, () => tokenOf("ann"));
      socket.connect();
      await connected(client);
      await asked.promise;
      if (how === "stopped") stop();
      else socket.disconnect();
      answer.resolve(false);
      if (how === "stopped") await client.call("sync");
      await new Promise(setImmediate);
      expect(logger.lines).toEqual([]);
    },
  );

  it("tells of an account that may not come in", async () => {
    await using gate = await open({ claims: () => false });
    const { socket, ended } = keep(gate, () => tokenOf("ann"));
    socket.connect();
    await vi.waitFor(() => expect(ended).toMatchObject([{ code: "FORBIDDEN" }]));
  });

  it("does nothing any more once it was stopped", async () => {
    await using gate = await open({ claims: lives(3_000) });
    let fetched = 0;
    const { client, socket, stop, ended } = keep(gate, () => (fetched++, tokenOf("ann")));
    socket.connect();
    await connected(client);
    stop();
    stop();
    await new Promise<void>((resolve) => socket.once("disconnect", () => resolve()));
    expect([fetched, ended]).toEqual([1, []]);
  });

  it("who has signed in again in the second of the revocation comes in with a token of the next", async () => {
    await using gate = await open();
    await gate.auth.revoke({ user: "ann" });
    const whole = (): Promise<string> => tokenOf("ann", { iat: Math.floor(Date.now() / 1_000) });
    const { client, socket, ended } = keep(gate, whole);
    socket.connect();
    await vi.waitFor(() => expect(client.status.connected).toBe(true));
    expect(ended).toEqual([]);
  });
});
