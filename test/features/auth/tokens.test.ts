import { createSecretKey, generateKeyPairSync, webcrypto } from "node:crypto";
import { exportJWK, exportSPKI, generateKeyPair, SignJWT } from "jose";
import { describe, expect, it, vi } from "vitest";
import { token } from "socket-ingress";
import { Realtime } from "socket-ingress/realtime";
import { Auth, type AuthOptions, type TokenSource } from "socket-ingress/auth";
import { deferred } from "../../fixtures/deferred.js";
import { ended, open, secret, timeless, tokenOf } from "./gate.js";

const refusedAs = (reason: string): object => ({ code: "UNAUTHENTICATED", details: { reason } });

describe("who comes", { timeout: 30_000 }, () => {
  it("by a token that the application knows to be over is not let in", async () => {
    await using gate = await open({ claims: () => ({ expiresAt: Date.now() - 1 }) });
    expect(await gate.refused(await tokenOf("ann"))).toMatchObject(refusedAs("expired"));
  });

  it("1. No token -> `connect_error` with `UNAUTHENTICATED`, reason `missing`; no handler ran.", async () => {
    const ran: string[] = [];
    await using gate = await open({
      before: ({ ingress }) => {
        ingress.subscribe("connect", () => void ran.push("connect"), { guard: true, priority: -1_000_000 });
        ingress.subscribe("connection", () => void ran.push("connection"));
        ingress.beforeEvent(() => void ran.push("event"));
      },
    });
    for (const auth of [{}, { token: "" }, { token: null }, { other: "x" }])
      expect(await gate.refused(undefined, { auth })).toMatchObject(refusedAs("missing"));
    expect(ran).toEqual([]);
    await gate.enter(await tokenOf("ann"));
    expect(ran).toEqual(["connect", "connection"]);
  });

  it("2. A token in the query only -> refused (unless `from` names it).", async () => {
    const query = { token: await tokenOf("ann") };
    await using gate = await open();
    expect(await gate.refused(undefined, { query })).toMatchObject(refusedAs("missing"));
    await using lax = await open({ from: ["query:token"] });
    expect((await lax.enter(undefined, { query })).connected).toBe(true);
    expect(await lax.refused(query.token)).toMatchObject(refusedAs("missing"));
  });

  it.each<[TokenSource, (token: string) => object]>([
    ["auth", (token) => ({ auth: { token } })],
    ["header", (token) => ({ extraHeaders: { authorization: `Bearer ${token}` } })],
    ["cookie:token", (token) => ({ extraHeaders: { cookie: `a=b; token=${encodeURIComponent(token)}; tokens=c` } })],
    ["query:access_token", (token) => ({ query: { access_token: token } })],
  ])("is found by the token in %s, where `from` names that", async (place, options) => {
    await using gate = await open({ from: [place] });
    const client = await gate.enter(undefined, options(await tokenOf("ann", { sid: "s1" })));
    expect(gate.realtime.identify(gate.served.serverSide(client))).toEqual({ user: "ann", session: "s1" });
    expect(await gate.refused(undefined, options("no token"))).toMatchObject(refusedAs("invalid"));
  });

  it("is whoever the first place says that says anybody: what is wrong there is not made good by another", async () => {
    await using gate = await open({ from: ["header", "auth"] });
    const token = await tokenOf("ann");
    const headers = (value: string): object => ({ extraHeaders: { authorization: value } });
    expect(await gate.refused(token, headers("Bearer forged"))).toMatchObject(refusedAs("invalid"));
    expect((await gate.enter(token, headers("Basic YTpi"))).connected).toBe(true);
  });

  it("is known to realtime from the first moment, and to nobody before the verdict", async () => {
    const asked: unknown[] = [];
    await using gate = await open({
      claims: async ({ sub }) => {
        await Promise.resolve();
        asked.push(sub);
      },
      before: ({ ingress }, auth) => {
        ingress.subscribe("connect", async ({ socket }) => void asked.push(["guard", await auth.user(socket)]), {
          guard: true,
        });
        ingress.subscribe("connection", ({ socket }) => void asked.push(["told", auth.claimsOf(socket)?.user]));
      },
    });
    const client = await gate.enter(await tokenOf("ann", { sid: "s1" }));
    expect(asked).toEqual(["ann", ["guard", "ann"], ["told", "ann"]]);
    expect(gate.realtime.identify(gate.served.serverSide(client))).toEqual({ user: "ann", session: "s1" });
    expect(await gate.realtime.count({ user: "ann" })).toMatchObject({ sockets: 1 });
  });

  it(
    "4. `alg: none`, another secret, HS256 signed with the public JWK, no `sub`, not a JWT -> refused.",
    { timeout: 30_000 },
    async () => {
      const { publicKey, privateKey } = await generateKeyPair("RS256");
      const jwk = await exportJWK(publicKey);
      const signed = await tokenOf("ann");
      const none = [{ alg: "none" }, { sub: "ann", exp: 9_999_999_999 }].map((part) =>
        Buffer.from(JSON.stringify(part)).toString("base64url"),
      );
      const now = Date.now() / 1_000;
      const bad = [
        `${none.join(".")}.`,
        `${none.join(".")}.${signed.split(".")[2]}`,
        await tokenOf("ann", {}, { key: Buffer.from("another secret, which is as long as it") }),
        await tokenOf("ann", {}, { key: Buffer.from(JSON.stringify(jwk)) }),
        await tokenOf("ann", {}, { key: Buffer.from(await exportSPKI(publicKey)) }),
        await tokenOf("ann", {}, { alg: "RS256", key: privateKey }),
        await tokenOf("ann", {}, { alg: "HS512", key: Buffer.from(secret.padEnd(64)) }),
        await tokenOf(undefined),
        await tokenOf(""),
        await tokenOf("ann", { sub: 5 }),
        await tokenOf("ann", { nbf: now + 60 }),
        await tokenOf("ann", { exp: "tomorrow" }),
        signed.slice(0, -4),
        "not a JWT",
        "a.b.c",
        5,
        {},
        [signed],
        true,
        `${signed}${"x".repeat(10_000)}`,
      ];
      await using bySecret = await open();
      for (const token of bad) expect(await bySecret.refused(token), String(token)).toMatchObject(refusedAs("invalid"));
      await using byKey = await open({ key: publicKey });
      await using bySet = await open({ jwks: { keys: [{ ...jwk, kid: "k" }] } });
      for (const gate of [byKey, bySet]) {
        for (const token of bad.filter((_, at) => at !== 5))
          expect(await gate.refused(token)).toMatchObject(refusedAs("invalid"));
        expect((await gate.enter(await tokenOf("ann", {}, { alg: "RS256", key: privateKey }))).connected).toBe(true);
      }
    },
  );

  it("of another issuer, or with a token for somebody else, is refused", async () => {
    await using gate = await open({ issuer: ["https://a", "https://b"], audience: "chat" });
    for (const claims of [
      {},
      { iss: "https://a" },
      { iss: "https://c", aud: "chat" },
      { iss: "https://a", aud: "shop" },
    ])
      expect(await gate.refused(await tokenOf("ann", claims))).toMatchObject(refusedAs("invalid"));
    for (const claims of [
      { iss: "https://b", aud: "chat" },
      { iss: "https://a", aud: ["shop", "chat"] },
    ])
      expect((await gate.enter(await tokenOf("ann", claims))).connected).toBe(true);
  });

  it("is let in by a public key, whatever form it has", async () => {
    const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
    const node = generateKeyPairSync("ed25519");
    const es = await tokenOf("ann", {}, { alg: "ES256", key: privateKey });
    for (const key of [publicKey, await exportJWK(publicKey), await exportSPKI(publicKey)] as NonNullable<
      AuthOptions["key"]
    >[])
      expect((await new Auth({ key }).verify(es)).user).toBe("ann");
    const ed = await new SignJWT({ sub: "bob" }).setProtectedHeader({ alg: "EdDSA" }).sign(node.privateKey);
    expect((await new Auth({ key: node.publicKey }).verify(ed)).user).toBe("bob");
    await expect(new Auth({ key: node.publicKey }).verify(es)).rejects.toMatchObject(refusedAs("invalid"));
    await expect(new Auth({ key: publicKey, algorithms: ["RS256"] }).verify(es)).rejects.toMatchObject(
      refusedAs("invalid"),
    );
  });

  it("with a token that names no key is tried with all of the set that fit", async () => {
    const [one, other] = await Promise.all([generateKeyPair("ES256"), generateKeyPair("ES256")]);
    const keys = await Promise.all(
      [one, other].map(async ({ publicKey }, at) => ({ ...(await exportJWK(publicKey)), kid: `k${at}` })),
    );
    const auth = new Auth({ jwks: { keys } });
    for (const { privateKey } of [one, other])
      expect((await auth.verify(await tokenOf("ann", {}, { alg: "ES256", key: privateKey }))).user).toBe("ann");
    const { privateKey: foreign } = await generateKeyPair("ES256");
    await expect(auth.verify(await tokenOf("ann", {}, { alg: "ES256", key: foreign }))).rejects.toMatchObject(
      refusedAs("invalid"),
    );
    const late = await tokenOf("ann", {}, { alg: "ES256", key: other.privateKey, expiresInMs: -5_000 });
    await expect(auth.verify(late)).rejects.toMatchObject(refusedAs("expired"));
  });

  it("13. The imported key is made once (a `CryptoKey` verifies in 77 us, raw bytes in 298).", async () => {
    const { privateKey, publicKey } = await generateKeyPair("ES256");
    const jwk = await exportJWK(publicKey);
    const hs = await Promise.all(Array.from({ length: 5 }, () => tokenOf("ann")));
    const rs = await Promise.all(hs.map(() => tokenOf("ann", {}, { alg: "ES256", key: privateKey })));
    const imports = vi.spyOn(crypto.subtle, "importKey");
    const verify = vi.spyOn(crypto.subtle, "verify");
    for (const [options, tokens] of [
      [{ secret }, hs],
      [{ key: jwk as { kty: string } }, rs],
      [{ jwks: { keys: [jwk] } }, rs],
    ] as const) {
      imports.mockClear();
      verify.mockClear();
      const auth = new Auth(options);
      await Promise.all(tokens.map((token) => auth.verify(token)));
      expect(imports).toHaveBeenCalledTimes(1);
      const used = new Set(verify.mock.calls.map(([, key]) => key));
      expect(verify).toHaveBeenCalledTimes(5);
      expect([...used].map((key) => Object.prototype.toString.call(key))).toEqual(["[object CryptoKey]"]);
    }
  });

  it("by a cookie may be in quotes, and nobody by a request without headers", async () => {
    const auth = new Auth({ secret, from: ["auth", "header", "cookie:token"] });
    const token = await tokenOf("ann");
    const cookie = `other="; token="${token}"; more=1`;
    expect((await auth.verify({ headers: { cookie } })).user).toBe("ann");
    await expect(auth.verify({})).rejects.toMatchObject({
      code: "UNAUTHENTICATED",
      details: { reason: "missing" },
    });
  });

  it("is looked at the same way for Express: by a token, or by the request that carries it", async () => {
    const auth = new Auth({ secret, from: ["header", "cookie:t", "query:t"], claims: () => ({ roles: ["admin"] }) });
    const token = await tokenOf("ann", { sid: "s1", scope: "read write" });
    const who = { user: "ann", session: "s1", roles: ["admin"], permissions: ["read", "write"], token: { sub: "ann" } };
    expect(await auth.verify(token)).toMatchObject(who);
    expect(await auth.verify({ headers: { authorization: `bearer ${token}` } })).toMatchObject(who);
    expect(await auth.verify({ headers: { cookie: `x; t=${token}` } })).toMatchObject(who);
    expect(await auth.verify({ headers: {}, url: `/events?t=${token}` })).toMatchObject(who);
    for (const nothing of [undefined, "", { headers: {} }, { headers: { cookie: "t=%" }, url: "/" }])
      await expect(auth.verify(nothing)).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    await auth.revoke({ session: "s1" });
    await expect(auth.verify(token)).rejects.toMatchObject(refusedAs("revoked"));
  });

  it("whom the application knows better: roles of today, another user, or nobody who is active", async () => {
    let known: unknown = { user: "u1", roles: ["editor"] };
    await using gate = await open({ claims: () => known as object });
    const token = await tokenOf("ann", { roles: ["admin"], permissions: "read" });
    const client = await gate.enter(token);
    expect(gate.auth.claimsOf(gate.served.serverSide(client))).toMatchObject({
      user: "u1",
      roles: ["editor"],
      permissions: ["read"],
    });
    known = false;
    expect(await gate.refused(token)).toMatchObject({ code: "FORBIDDEN" });
    for (known of [5, { user: "" }, { roles: "admin" }, { expiresAt: "soon" }])
      expect(await gate.refused(token)).toMatchObject({ code: "INTERNAL" });
  });

  it("is refused, not let in, while the application can't say whether they are active", async () => {
    await using gate = await open({ claims: () => Promise.reject(new Error("the database is down")) });
    expect(await gate.refused(await tokenOf("ann"))).toEqual({ code: "INTERNAL", message: "internal error" });
  });

  it("who was connected before the door was there stays with a good token, and is ended without", async () => {
    await using gate = await open({ alone: true });
    const { auth, served } = gate;
    await auth.teardown();
    const [ann, nobody] = [await gate.enter(await tokenOf("ann")), await gate.enter()];
    const over = new Promise((resolve) => nobody.once("ingress:ended", resolve));
    await auth.setup();
    expect(await over).toMatchObject({ code: "UNAUTHENTICATED", reason: "missing" });
    expect(await ann.emitWithAck("say", "hi")).toBe(1);
    expect(auth.claimsOf(served.serverSide(ann))).toMatchObject({ user: "ann" });
  });

  it("who was being let in when the door came is looked at before anybody is told of them", async () => {
    await using gate = await open({ alone: true });
    await gate.auth.teardown();
    const [asked, goOn] = [deferred(), deferred()];
    const told: unknown[] = [];
    gate.ingress.subscribe("connect", async () => {
      asked.resolve();
      await goOn.promise;
      return true;
    });
    gate.ingress.subscribe("connection", () => told.push("connection"));
    const client = gate.served.client({ auth: { token: "stolen" } });
    const over = ended(client);
    client.connect();
    await asked.promise;
    await gate.auth.setup();
    goOn.resolve();
    expect(await over).toMatchObject({ code: "UNAUTHENTICATED", reason: "invalid" });
    expect(told).toEqual([]);
  });

  it("in another namespace is none of its business", async () => {
    await using gate = await open({ namespace: "/inner" });
    expect((await gate.enter()).connected).toBe(true);
    expect(await gate.refused(undefined, { namespace: "/inner" })).toMatchObject(refusedAs("missing"));
    expect((await gate.enter(await tokenOf("ann"), { namespace: "/inner" })).connected).toBe(true);
    expect(gate.auth.name).toBe("auth of /inner");
  });

  it("comes in over a fake socket as over a real one", async () => {
    await using gate = await timeless();
    await expect(gate.io.connect()).rejects.toMatchObject({ data: refusedAs("missing") });
    const ann = await gate.io.connect({ auth: { token: await tokenOf("ann") } });
    expect(await ann.receive("say", "hi")).toBe("heard");
    expect(gate.auth.claimsOf(ann.server)?.user).toBe("ann");
  });
});

describe("an Auth that is wired wrongly says what is wrong, and never what is secret", { timeout: 30_000 }, () => {
  const jwk = { kty: "oct", k: "c2VjcmV0" };
  it.each<[string, object, RegExp]>([
    ["nothing to verify with", {}, /expected one of secret, key and jwks, got none/],
    ["two ways", { secret, jwks: { keys: [] } }, /expected one of .* got secret and jwks/],
    ["a short secret", { secret: "hunter2" }, /secret must have at least 32 bytes, got 7$/],
    ["no secret at all", { secret: 5 }, /secret must be a string or bytes, got 5/],
    ["a secret as a key", { key: createSecretKey(Buffer.from(secret)) }, /key must be a public key, got a secret one/],
    ["a symmetric key", { key: jwk }, /key must be a public key, in PEM or as a JSON Web Key; it can't be read/],
    [
      "a private key",
      { key: generateKeyPairSync("ed25519").privateKey },
      /key must be a public key, got a private one/,
    ],
    ["text that is no key", { key: "hunter2" }, /key must be a public key.*can't be read$/],
    ["a key that is none", { key: 5 }, /key must be a public key, got 5/],
    ["no key set", { jwks: { keys: [5] } }, /jwks must be the address of a key set, or a key set/],
    [
      "an address that is none",
      { jwks: "issuer.example" },
      /jwks must be an address with https or http, got "issuer.example"/,
    ],
    [
      "algorithms of the other kind",
      { secret, algorithms: ["RS256"] },
      /algorithms must be some of HS256.* beside a secret, got \["RS256"\]/,
    ],
    [
      "a secret's algorithm for a key",
      { jwks: { keys: [] }, algorithms: ["HS256"] },
      /algorithms must be some of RS256/,
    ],
    ["none as an algorithm", { secret, algorithms: ["none"] }, /algorithms must be some of/],
    ["no place", { secret, from: [] }, /from must be a list such as/],
    ["a place that there is not", { secret, from: ["body"] }, /from must name "auth", "header", .* got "body"/],
    ["no function", { secret, claims: {} }, /claims must be a function/],
    ["no time", { secret, warnBeforeMs: -1 }, /warnBeforeMs must be milliseconds/],
    [
      "no store",
      { secret, revocations: new Map() },
      /revocations must be a store with the methods revoke and revokedUntil/,
    ],
    ["no such option", { secret, audiences: "chat" }, /there is no option "audiences"/],
    ["no issuer", { secret, issuer: [] }, /issuer must be a name, or a list of names/],
  ])("%s", (_what, options, message) => {
    expect(() => new Auth(options as AuthOptions)).toThrow(message);
    expect(() => new Auth(options as AuthOptions)).not.toThrow(/hunter2/);
  });

  it("an imported private key, too", async () => {
    const pair = (await webcrypto.subtle.generateKey({ name: "Ed25519" }, true, [
      "sign",
      "verify",
    ])) as webcrypto.CryptoKeyPair;
    expect(() => new Auth({ key: pair.privateKey })).toThrow(/key must be a public key, got a private one/);
  });

  it("and finds what a manager provides as any handler, but by a string, which is a role", async () => {
    const clock = token<() => number>("clock");
    await using gate = await open({ before: (manager) => void manager.provide(clock, () => 5) });
    expect(gate.auth.require(clock)()).toBe(5);
    expect(gate.auth.require(Realtime)).toBe(gate.realtime);
    expect(() => new Auth({ secret }).require(Realtime)).toThrow(/nothing was provided/);
    expect(gate.auth.require("clock")).toBeTypeOf("function");
  });

  it("what can't be required or revoked, too", () => {
    const auth = new Auth({ secret });
    for (const wrong of [5, "", {}, { anyRole: [] }, { permission: "" }, null, { role: "a", permission: "b" }])
      expect(() => auth.require(wrong as never)).toThrow(/Auth\.require: expected the name of a role/);
    expect(() => auth.guard({ role: 5 } as never)).toThrow(/Auth\.guard: expected/);
    for (const wrong of [undefined, {}, { user: "" }, { user: "a", session: "b" }, "ann", { user: "a", more: 1 }])
      expect(() => auth.revoke(wrong as never)).toThrow(/Auth\.revoke: expected \{ user \} or \{ session \}/);
  });
});
