import { describe, expect, it } from "vitest";
import { ServiceManager, SocketIngress } from "socket-ingress";
import { Auth, type AuthOptions } from "socket-ingress/auth";
import { deferred } from "../../fixtures/deferred.js";
import { recordingLog } from "../../fixtures/recording-log.js";
import { serve } from "../../fixtures/serve.js";
import { ended, secret, tokenOf, whyOf } from "./gate.js";

/** A client that was connected before there was a door, and the door that looks at it. */
async function early(options: Partial<AuthOptions>, namespace = "/") {
  const served = await serve();
  served.io.of(namespace);
  const client = await served.connect({ namespace, auth: { token: await tokenOf("ann") } });
  const log = recordingLog();
  const ingress = new SocketIngress({ logger: log });
  ingress.subscribe("say", () => "heard", { namespace });
  const auth = new Auth({ secret, ...options });
  const manager = new ServiceManager(served.io, { logger: log, ingress }).registerHandler(auth);
  return {
    auth,
    client,
    log,
    boot: () => manager.boot(),
    side: served.io.of(namespace).sockets.get(client.id as string)!,
    [Symbol.asyncDispose]: async () => {
      await manager.shutdown({ graceMs: 100 });
      await served.close();
    },
  };
}

describe("a client that was there before the door", { timeout: 30_000 }, () => {
  it("is looked at once, by whoever asks for it first, and its events wait for that", async () => {
    const [asked, go] = [deferred(), deferred()];
    let looks = 0;
    await using there = await early({
      claims: async () => {
        looks++;
        asked.resolve();
        await go.promise;
      },
    });
    const booting = there.boot();
    await asked.promise;
    const user = there.auth.user(there.side);
    const arrived = deferred();
    there.side.onAny(() => arrived.resolve());
    const heard = there.client.emitWithAck("say");
    await arrived.promise;
    expect(user).toBeInstanceOf(Promise);
    go.resolve();
    expect(await user).toBe("ann");
    expect(await heard).toBe("heard");
    await booting;
    expect(looks).toBe(1);
  });

  it("is cut, and told to come back, where nobody can say whose it is", async () => {
    await using there = await early({
      claims: () => {
        throw new Error("the database is down");
      },
    });
    const over = ended(there.client);
    await there.boot();
    expect(await over).toMatchObject({ code: "OVERLOADED", retryAfterMs: 1_000 });
    expect(there.log.lines.some(({ message }) => message === "a socket could not be looked at")).toBe(true);
  });

  it("may go while it is looked at", async () => {
    const [asked, answer] = [deferred(), deferred<false>()];
    await using there = await early({
      claims: () => {
        asked.resolve();
        return answer.promise;
      },
    });
    const booting = there.boot();
    await asked.promise;
    const gone = new Promise((resolve) => there.side.once("disconnect", resolve));
    there.client.disconnect();
    await gone;
    answer.resolve(false);
    await booting;
    await expect(there.auth.user(there.side)).rejects.toMatchObject({ code: "FORBIDDEN" });
  });

  it("is found in the namespace that was named without its slash", async () => {
    await using there = await early({ namespace: "admin" }, "/admin");
    await there.boot();
    expect(there.auth.namespace).toBe("/admin");
    expect(await there.auth.user(there.side)).toBe("ann");
    const over = ended(there.client);
    await there.auth.revoke({ user: "ann" });
    expect(whyOf({ error: { ...((await over) as object), details: await over } })).toEqual([
      "UNAUTHENTICATED",
      "revoked",
    ]);
  });
});

it("a door that is wired wrongly says so at once", async () => {
  const wrong =
    (options: object): (() => Auth) =>
    () =>
      new Auth({ secret, ...options } as never);
  expect(wrong({ algorithms: "HS256" })).toThrow("algorithms must be some of");
  expect(wrong({ from: "auth" })).toThrow("from must be a list");
  expect(wrong({ secret: new Uint8Array(5) })).toThrow("at least 32 bytes, got 5");
  const bytes = new Auth({ secret: new Uint8Array(Buffer.from(secret)) });
  expect((await bytes.verify(await tokenOf("ann"))).user).toBe("ann");
});
