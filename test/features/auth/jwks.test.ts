import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair } from "jose";
import { describe, expect, it, vi } from "vitest";
import { Auth } from "socket-ingress/auth";
import { recordingLog } from "../../fixtures/recording-log.js";
import { open, tokenOf } from "./gate.js";

/** An issuer with an endpoint for its keys. */
interface Issuer extends AsyncDisposable {
  readonly url: string;
  /** How often it was asked. */
  readonly asked: () => number;
  /** How it answers from now on. */
  answer: "keys" | "error" | "nonsense" | "nothing";
  /** A new key, which is published. */
  rotate(kid: string): Promise<void>;
  /** A token signed with the key of that name, published or not. */
  token(kid: string, sub?: string): Promise<string>;
  /** The key set is without a key from now on. */
  withdraw(kid: string): void;
}

async function issuer(...kids: string[]): Promise<Issuer> {
  const pairs = new Map<string, Awaited<ReturnType<typeof generateKeyPair>>>();
  const published = new Map<string, object>();
  let asked = 0;
  const server = createServer((_request, response) => {
    asked++;
    if (made.answer === "nothing") return void response.destroy();
    response.statusCode = made.answer === "error" ? 503 : 200;
    response.end(made.answer === "nonsense" ? "<html>" : JSON.stringify({ keys: [...published.values()] }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const made: Issuer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`,
    asked: () => asked,
    answer: "keys",
    async rotate(kid) {
      const pair = await generateKeyPair("ES256");
      pairs.set(kid, pair);
      published.set(kid, { ...(await exportJWK(pair.publicKey)), kid, alg: "ES256", use: "sig" });
    },
    async token(kid, sub = "ann") {
      const { privateKey } = pairs.get(kid) ?? (await generateKeyPair("ES256"));
      return tokenOf(sub, {}, { alg: "ES256", kid, key: privateKey });
    },
    withdraw: (kid) => void published.delete(kid),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  for (const kid of kids) await made.rotate(kid);
  return made;
}

const invalid = { code: "UNAUTHENTICATED", details: { reason: "invalid" } };

describe("the keys of an issuer", { timeout: 30_000 }, () => {
  it("5. An unknown `kid` fetches the key set once; a flood of unknown `kid`s does not hammer the endpoint.", async () => {
    await using keys = await issuer("k1");
    await using gate = await open({ jwks: keys.url });
    expect(keys.asked()).toBe(0);
    for (let i = 0; i < 3; i++) await gate.enter(await keys.token("k1"));
    expect(keys.asked()).toBe(1);
    // Taken at once, however short a time ago the set was fetched.
    await keys.rotate("k2");
    expect((await gate.enter(await keys.token("k2"))).connected).toBe(true);
    expect(keys.asked()).toBe(2);
    const flood = await Promise.all(Array.from({ length: 100 }, (_, i) => keys.token(`unknown ${i}`)));
    for (const answer of await Promise.all(flood.map((token) => gate.refused(token))))
      expect(answer).toMatchObject(invalid);
    for (const token of flood.slice(0, 10)) expect(await gate.refused(token)).toMatchObject(invalid);
    expect(keys.asked()).toBe(2);
    expect((await gate.enter(await keys.token("k1"))).connected).toBe(true);
  });

  it("of which several would do are none, where the token does not say which", async () => {
    await using there = await issuer("one", "two");
    await using gate = await open({ jwks: there.url });
    const unsaid = await there.token("one").then((token) => {
      const [header = "", ...rest] = token.split(".");
      const { kid: _kid, ...others } = JSON.parse(Buffer.from(header, "base64url").toString()) as { kid: string };
      return [Buffer.from(JSON.stringify(others)).toString("base64url"), ...rest].join(".");
    });
    expect(await gate.refused(unsaid)).toMatchObject({ code: "UNAUTHENTICATED", details: { reason: "invalid" } });
    expect(there.asked()).toBe(1);
  });

  it("are asked for once by a flood that is the first to need them", async () => {
    await using keys = await issuer("k1");
    const auth = new Auth({ jwks: new URL(keys.url) });
    const tokens = await Promise.all(Array.from({ length: 50 }, (_, i) => keys.token(i % 2 === 0 ? "k1" : "unknown")));
    const answers = await Promise.allSettled(tokens.map((token) => auth.verify(token)));
    expect(answers.map(({ status }) => status)).toEqual(tokens.map((_, i) => (i % 2 === 0 ? "fulfilled" : "rejected")));
    expect(keys.asked()).toBeLessThanOrEqual(2);
  });

  it('6. The key set\'s endpoint is down: known keys go on, others are answered `OVERLOADED` with `retryAfterMs`, not "invalid token".', async () => {
    await using keys = await issuer("k1");
    await using gate = await open({ jwks: keys.url });
    const known = await gate.enter(await keys.token("k1"));
    await keys.rotate("k2");
    for (const answer of ["error", "nonsense", "nothing"] as const) {
      keys.answer = answer;
      expect((await gate.enter(await keys.token("k1"))).connected).toBe(true);
      const refused = (await gate.refused(await keys.token("k2"))) as {
        code: string;
        details: { retryAfterMs: number };
      };
      expect(refused.code).toBe("OVERLOADED");
      expect(refused.details.retryAfterMs).toBeGreaterThan(0);
      expect(refused.details.retryAfterMs).toBeLessThanOrEqual(2_000);
    }
    const before = keys.asked();
    for (const answer of await Promise.all(
      Array.from({ length: 20 }, async (_, i) => gate.refused(await keys.token(`x${i}`))),
    ))
      expect(answer).toMatchObject({ code: "OVERLOADED" });
    expect(keys.asked()).toBeLessThanOrEqual(before + 1);
    expect(await known.emitWithAck("say", "still in")).toBe(1);
    expect(
      gate.log.lines.filter(({ level, message }) => level === "error" && message?.includes("key set")),
    ).not.toEqual([]);
  });

  it("are had as soon as the endpoint is back, by whoever comes again when they were told to", async () => {
    await using keys = await issuer("k1");
    keys.answer = "error";
    const auth = new Auth({ jwks: keys.url });
    Object.defineProperty(auth, "log", { value: recordingLog() });
    const token = await keys.token("k1");
    await expect(auth.verify(token)).rejects.toMatchObject({ code: "OVERLOADED" });
    keys.answer = "keys";
    await vi.waitFor(async () => expect((await auth.verify(token)).user).toBe("ann"), { interval: 200 });
  });

  it("count no more some time after they were taken out of the set, and nobody waits for that to be found out", async () => {
    await using keys = await issuer("k1", "k2");
    const auth = new Auth({ jwks: keys.url });
    const [one, two] = [await keys.token("k1"), await keys.token("k2")];
    await auth.verify(one);
    keys.withdraw("k1");
    const now = performance.now();
    const clock = vi.spyOn(performance, "now").mockReturnValue(now + 599_000);
    expect((await auth.verify(one)).user).toBe("ann");
    expect(keys.asked()).toBe(1);
    clock.mockReturnValue(now + 601_000);
    expect((await auth.verify(two)).user).toBe("ann");
    await vi.waitFor(() => expect(auth.verify(one)).rejects.toMatchObject(invalid));
    expect((await auth.verify(two)).user).toBe("ann");
    expect(keys.asked()).toBeLessThanOrEqual(3);
  });
});
