import { expect, test } from "vitest";
import { type Handler, ServiceManager } from "socket-ingress";
import { Auth } from "socket-ingress/auth";
import { Collab } from "socket-ingress/collab";
import { Notifications } from "socket-ingress/notifications";
import { Realtime } from "socket-ingress/realtime";
import { fakeServer } from "socket-ingress/testing";

const secret = "a secret of these tests, which nobody else knows";

const doors: [kind: string, make: (realtime: Realtime) => Handler][] = [
  ["an Auth", ({ namespace }) => new Auth({ secret, namespace })],
  ["a Collab", (realtime) => new Collab({ realtime })],
  ["a Notifications", (realtime) => new Notifications({ realtime })],
];

test.each(doors)("a namespace has %s once, and a boot with a second one says so", async (kind, make) => {
  await using io = fakeServer();
  const realtime = new Realtime({ namespace: "/app" });
  const manager = new ServiceManager(io).registerHandler(make(realtime)).registerHandler(make(realtime));
  await expect(manager.boot()).rejects.toThrow(`the namespace /app has ${kind} already`);
});

test.each(doors)(
  "a namespace that had %s has another one when the first is torn down, and the first again",
  async (_, make) => {
    await using io = fakeServer();
    const realtime = new Realtime();
    const [first, second] = [make(realtime), make(realtime)];
    await realtime.setup(io);
    await first.setup(io);
    await expect(second.setup(io)).rejects.toThrow("already");
    expect([first.registered, second.registered]).toEqual([true, false]);
    await first.teardown();
    await second.setup(io);
    await expect(first.setup(io)).rejects.toThrow("already");
    await second.teardown();
    await first.setup(io);
    expect([first.registered, second.registered]).toEqual([true, false]);
  },
);

test.each(doors)("two namespaces have %s each", async (_, make) => {
  await using io = fakeServer();
  const [one, two] = [new Realtime(), new Realtime({ namespace: "/app" })];
  const parts = [one, two, make(one), make(two)];
  for (const part of parts) await part.setup(io);
  expect(parts.map(({ registered }) => registered)).toEqual([true, true, true, true]);
});
