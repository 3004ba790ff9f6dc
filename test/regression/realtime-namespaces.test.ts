import { expect, it, vi } from "vitest";
import { MemoryCallStore, Realtime } from "socket-ingress/realtime";
import { type DoorOptions, open, record } from "../features/realtime/door.js";

/** A server with a realtime door at `/` and another one at `/admin`. */
async function two(options: DoorOptions = {}) {
  const byAuth = ({ handshake }: { readonly handshake: { readonly auth: object } }) =>
    (handshake.auth as { readonly user?: string }).user;
  const admin = new Realtime({ ...options, namespace: "/admin", user: byAuth });
  const door = await open({ ...options, before: (manager) => void manager.registerHandler(admin) });
  const enterAdmin = async (user: string) => record(await door.served.connect({ namespace: "/admin", auth: { user } }));
  return { door, admin, enterAdmin, [Symbol.asyncDispose]: () => door[Symbol.asyncDispose]() };
}

it("a call of one namespace is not answered with that of another, where both are given one store of calls", async () => {
  await using app = await two({ calls: { store: new MemoryCallStore() } });
  const ran = vi.fn();
  for (const namespace of ["/", "/admin"])
    app.door.ingress.subscribe("pay", () => (ran(namespace), namespace), { namespace });
  const [ann, admin] = [await app.door.enter({ user: "ann" }), await app.enterAdmin("ann")];
  expect(await ann.call("order-7", "pay")).toBe("/");
  expect(await admin.call("order-7", "pay")).toBe("/admin");
  expect([await ann.call("order-7", "pay"), await admin.call("order-7", "pay")]).toEqual(["/", "/admin"]);
  expect(ran).toHaveBeenCalledTimes(2);
});

it("a socket of another namespace is logged in by the door of its own and by no other", async () => {
  await using app = await two();
  const { door, admin, enterAdmin } = app;
  const client = await enterAdmin("bob");
  const socket = door.served.serverSide(client.socket, "/admin");
  await vi.waitFor(() => expect(admin.identify(socket)).toMatchObject({ user: "bob" }));
  const wrong = "expected a socket of the namespace /, got one of /admin";
  await expect(door.realtime.setUser(socket, "ann")).rejects.toThrow(wrong);
  await expect(door.realtime.setSession(socket, "s")).rejects.toThrow(wrong);
  expect(await admin.emitSocket("news", 1, { user: "bob" }, { count: true })).toMatchObject({ sockets: 1 });
  expect(await admin.emitSocket("news", 1, { user: "ann" }, { count: true })).toMatchObject({ sockets: 0 });
  await admin.setUser(socket, "ann");
  expect(admin.identify(socket)).toMatchObject({ user: "ann" });
});
