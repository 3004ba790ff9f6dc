import { afterEach, expect, it, vi } from "vitest";
import type { Socket } from "socket.io";
import { Stays } from "../../../src/features/auth/stays.js";
import { timeless, tokenOf } from "./gate.js";

afterEach(() => void vi.useRealTimers());

it("one stay is kept for a socket, and one timer, however many tokens it presents", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  await using gate = await timeless();
  const client = await gate.io.connect({ auth: { token: await tokenOf("ann", { n: 0 }) } });
  const present = async (n: number): Promise<number> => {
    expect(await client.receive("ingress:token", await tokenOf("ann", { n }))).toHaveProperty("expiresInMs");
    return vi.getTimerCount();
  };
  // The ingress has a timer for the time limits of events, which is made with the first.
  const first = await present(1);
  for (let n = 2; n <= 50; n++) expect(await present(n)).toBe(first);
  expect(gate.auth.claimsOf(client.server)?.token).toMatchObject({ n: 50 });
  await client.disconnect();
  expect(vi.getTimerCount()).toBe(first - 1);
});

it("a token of more than 8,192 characters is not looked at", async () => {
  await using gate = await timeless({ claims: () => expect.unreachable() });
  const token = await tokenOf("ann", { more: "x".repeat(8_192) });
  const verify = vi.spyOn(crypto.subtle, "verify");
  await expect(gate.io.connect({ auth: { token } })).rejects.toMatchObject({
    data: { details: { reason: "invalid" } },
  });
  expect(verify).not.toHaveBeenCalled();
});

it("sockets of which nobody is told that they went are looked through before they are too many", async () => {
  await using gate = await timeless();
  const { nsp } = (await gate.io.connect({ auth: { token: await tokenOf("ann") } })).server;
  const stays = new Stays({ warnBeforeMs: 0, dropPending: () => undefined });
  const claims = { user: "ann", session: "s", roles: [], permissions: [], expiresAt: undefined, token: { sub: "ann" } };
  let most = 0;
  for (let n = 1; n <= 5_000; n++) {
    const socket = { connected: true, nsp };
    stays.watch(socket as unknown as Socket, stays.begin(socket, claims, false, 0));
    socket.connected = n % 1_000 === 0;
    most = Math.max(most, stays.having({ user: "ann" }).length);
  }
  expect(most).toBeLessThanOrEqual(1_003);
  expect(stays.having({ session: "s" }).filter(({ connected }) => connected).length).toBe(5);
});
