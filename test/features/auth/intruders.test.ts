import type { Socket as ClientSocket } from "socket.io-client";
import { describe, expect, it } from "vitest";
import { ended, type Gate, type GateOptions, lives, open, tokenOf, whyOf } from "./gate.js";

// Somebody who tries to read, write, stay or come back with no, an old, a foreign, a stolen or a forged token fails: a test for each way.

const AUDIENCE = { iss: "https://issuer", aud: "chat" };
const OPTIONS = { issuer: "https://issuer", audience: "chat", optional: true };
const good = (sub: string, expiresInMs = 60_000): Promise<string> =>
  tokenOf(sub, { ...AUDIENCE, sid: `${sub}'s` }, { expiresInMs });

/** Tokens that must not get anybody anywhere, and why. */
const ways: Record<string, { readonly make: (gate: Gate) => Promise<unknown>; readonly reason: string }> = {
  "an old token": { make: () => good("ann", -1_000), reason: "expired" },
  "a foreign token": { make: () => tokenOf("ann", { iss: "https://issuer", aud: "shop" }), reason: "invalid" },
  "a stolen token, which was revoked": {
    async make(gate) {
      const stolen = await good("ann");
      await gate.auth.revoke({ session: "ann's" });
      return stolen;
    },
    reason: "revoked",
  },
  "a forged token": {
    make: () => tokenOf("ann", AUDIENCE, { key: Buffer.from("a guess that is as long as the secret is") }),
    reason: "invalid",
  },
};

async function gate(options: GateOptions = {}): Promise<Gate> {
  const made = await open({ ...OPTIONS, ...options });
  made.realtime.topics.define("members", { join: ({ user }) => user !== undefined });
  made.ingress.subscribe("write", (_context, text) => made.said.push(text), { use: [made.auth.require()] });
  return made;
}

/** What reaches a client, however it comes. */
function everything(client: ClientSocket): unknown[] {
  const heard: unknown[] = [];
  client.onAny((event: string, ...args: unknown[]) => event.startsWith("ingress:") || heard.push([event, ...args]));
  return heard;
}

describe("with no token", { timeout: 30_000 }, () => {
  it("nobody reads what is for others", async () => {
    await using made = await gate();
    const guest = await made.enter();
    const heard = everything(guest);
    for (const topic of ["members", "of:ann"])
      expect(await guest.emitWithAck("ingress:join", topic)).toMatchObject({ error: { code: "FORBIDDEN" } });
    await made.realtime.emitSocket("secret", 1, { topics: ["members", "of:ann"] });
    await made.realtime.emitSocket("secret", 2, { user: "ann" });
    await guest.emitWithAck("sync");
    expect(heard).toEqual([]);
  });

  it("nobody writes", async () => {
    await using made = await gate();
    const guest = await made.enter();
    expect(whyOf(await guest.emitWithAck("write", "x"))).toEqual(["UNAUTHENTICATED", "missing"]);
    expect(made.said).toEqual([]);
  });

  it("nobody comes in, stays or comes back where guests are not wanted", async () => {
    await using strict = await open({ claims: lives(3_000) });
    expect(await strict.refused()).toMatchObject({ details: { reason: "missing" } });
    const client = await strict.enter(await tokenOf("ann"));
    client.auth = {};
    await ended(client);
    const again = new Promise((resolve) =>
      client.once("connect_error", (error) => resolve((error as { data?: unknown }).data)),
    );
    client.connect();
    expect(await again).toMatchObject({ details: { reason: "missing" } });
  });
});

describe.each(Object.entries(ways))("with %s", { timeout: 30_000 }, (_way, { make, reason }) => {
  it("nobody comes in, so nobody reads and nobody writes, even where guests may", async () => {
    await using made = await gate();
    const token = await make(made);
    expect(await made.refused(token)).toMatchObject({ code: "UNAUTHENTICATED", details: { reason } });
    expect(made.served.io.of("/").sockets.size).toBe(0);
  });

  it("no guest becomes somebody", async () => {
    await using made = await gate();
    const token = await make(made);
    const guest = await made.enter();
    expect(whyOf(await guest.emitWithAck("ingress:token", token))).toEqual(["UNAUTHENTICATED", reason]);
    expect(await guest.emitWithAck("ingress:join", "of:ann")).toMatchObject({ error: { code: "FORBIDDEN" } });
    expect(whyOf(await guest.emitWithAck("write", "x"))).toEqual(["UNAUTHENTICATED", "missing"]);
  });

  it("no other user becomes somebody else", async () => {
    await using made = await gate();
    const token = await make(made);
    const eve = await made.enter(await good("eve"));
    expect(whyOf(await eve.emitWithAck("ingress:token", token))).toEqual(["UNAUTHENTICATED", reason]);
    expect(made.realtime.identify(made.served.serverSide(eve)).user).toBe("eve");
    expect(await eve.emitWithAck("ingress:join", "of:ann")).toMatchObject({ error: { code: "FORBIDDEN" } });
  });

  it("nobody stays longer than the token before it", async () => {
    await using made = await gate({
      claims: ({ sid }) => (sid === "another" ? { expiresAt: Date.now() + 3_000 } : undefined),
    });
    const token = await make(made);
    const client = await made.enter(
      await tokenOf("ann", { ...AUDIENCE, sid: "another" }, { issuedAt: Date.now() / 1_000 + 1 }),
    );
    const over = ended(client);
    expect(whyOf(await client.emitWithAck("ingress:token", token))).toEqual(["UNAUTHENTICATED", reason]);
    expect(await over).toMatchObject({ reason: "expired" });
  });

  it("nobody comes back", async () => {
    await using made = await gate();
    const token = await make(made);
    const client = await made.enter(
      await tokenOf("ann", { ...AUDIENCE, sid: "another" }, { issuedAt: Date.now() / 1_000 + 1 }),
    );
    const heard = everything(client);
    client.auth = { token };
    const again = new Promise((resolve) =>
      client.once("connect_error", (error) => resolve((error as { data?: unknown }).data)),
    );
    client.io.engine.close();
    client.connect();
    expect(await again).toMatchObject({ details: { reason } });
    await made.realtime.emitSocket("secret", 1, { user: "ann" });
    expect(heard).toEqual([]);
  });
});

describe("with a stolen token that still counts", { timeout: 30_000 }, () => {
  it("the thief is out with its owner's word, and stays out", async () => {
    await using made = await gate();
    const stolen = await good("ann");
    const thief = await made.enter(stolen);
    expect(await thief.emitWithAck("write", "I am Ann")).toBe(1);
    const heard = everything(thief);
    const over = ended(thief);
    expect(await made.auth.revoke({ session: "ann's" })).toEqual({ sockets: 1, complete: true });
    expect(await over).toMatchObject({ code: "UNAUTHENTICATED", reason: "revoked" });
    await made.realtime.emitSocket("secret", 1, { user: "ann" });
    expect(await made.refused(stolen)).toMatchObject({ details: { reason: "revoked" } });
    expect(heard).toEqual([]);
  });

  it("somebody who is in as themselves does not become its owner", async () => {
    await using made = await gate();
    const eve = await made.enter(await good("eve"));
    expect(whyOf(await eve.emitWithAck("ingress:token", await good("ann")))).toEqual(["FORBIDDEN", "otherUser"]);
    expect(made.realtime.identify(made.served.serverSide(eve)).user).toBe("eve");
  });
});
