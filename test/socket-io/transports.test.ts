import { expect, it, vi } from "vitest";
import { SocketIngress } from "socket-ingress";
import { type Transport, transports } from "../../src/events/transports.js";
import { RawClient } from "../fixtures/raw-client.js";
import { serve } from "../fixtures/serve.js";

/** A machine that does much else at the same time may be late. */
const patient = { deadlineMs: 20_000 };

it("tells of each transport that is there and each to come, before and after it has a server, and of none after that", async () => {
  await using app = await serve();
  await using _old = await RawClient.open(app.url, patient);
  const ingress = new SocketIngress();
  const seen: boolean[] = [];
  const off = ingress[transports].each((_transport, isNew) => seen.push(isNew));
  ingress.attach(app.io);
  expect(seen).toEqual([false]);
  await using _new = await RawClient.open(app.url, patient);
  expect(seen).toEqual([false, true]);
  const again: boolean[] = [];
  const offAgain = ingress[transports].each((_transport, isNew) => again.push(isNew));
  expect(again).toEqual([false, false]);
  off();
  await using _later = await RawClient.open(app.url, patient);
  expect([seen.length, again.at(-1)]).toEqual([2, true]);
  const listeners = (): number => app.io.engine.listenerCount("connection");
  const before = listeners();
  offAgain();
  expect(listeners()).toBe(before - 1);
  ingress[transports].each((_transport, isNew) => again.push(isNew));
  expect(listeners()).toBe(before);
  again.length = 3;
  await ingress.detach();
  expect(listeners()).toBeLessThan(before - 1);
  await using _last = await RawClient.open(app.url, patient);
  expect(again).toHaveLength(3);
});

it("knows whether a transport is in a namespace", async () => {
  await using app = await serve();
  const watch = new SocketIngress().attach(app.io)[transports];
  let transport: Transport | undefined;
  watch.each((one) => void (transport = one));
  await using client = await RawClient.open(app.url, patient);
  const isIn = (): boolean => transport !== undefined && watch.isIn(transport);
  expect(isIn()).toBe(false);
  expect((await client.connect("/nowhere")).admitted).toBe(false);
  expect(isIn()).toBe(false);
  expect((await client.connect()).admitted).toBe(true);
  expect(isIn()).toBe(true);
  client.frame("41");
  await vi.waitFor(() => expect(isIn()).toBe(false), 5_000);
});
