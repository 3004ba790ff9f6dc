import { describe, expect, it, vi } from "vitest";
import { group, othersInGroup } from "socket-ingress/realtime";
import { roomOf } from "../../src/push/rooms.js";
import { codeOf } from "../fixtures/ingress.js";
import { deferred, open, type Client, type Door, type DoorOptions } from "../features/realtime/door.js";

/** An application that lets its clients name rooms, which it should not. */
async function careless(options: DoorOptions = {}): Promise<Door> {
  const door = await open(options);
  door.ingress.subscribe("enter", ({ socket }, room: string) => {
    void socket.join(room);
    return true;
  });
  door.ingress.subscribe("exit", ({ socket }, room: string) => {
    void socket.leave(room);
    return true;
  });
  return door;
}

const enter = (client: Client, room: string): Promise<unknown> => client.socket.emitWithAck("enter", room);
const exit = (client: Client, room: string): Promise<unknown> => client.socket.emitWithAck("exit", room);

describe("who is in the room of somebody else", () => {
  it("is not taken for them: by no policy, no call and no notification", async () => {
    await using door = await careless();
    const who = ({ socket }: { socket: Parameters<typeof door.realtime.identify>[0] }): string =>
      JSON.stringify(door.realtime.identify(socket));
    door.realtime.topics.define("private", {
      join: ({ socket }) => door.realtime.identify(socket).user === "ada",
      presence: true,
    });
    door.ingress.subscribe("secret", (context) => who(context));
    door.ingress.subscribe("tell", async (context) => {
      await door.realtime.notify(context, othersInGroup(context), "hi");
      return true;
    });
    door.ingress.subscribe("wait", (context) => door.realtime.waitForGroup(context, { pool: "p", size: 1 }));
    await door.realtime.enroll(group("g"), "ada");
    const ada = await door.enter({ user: "ada", session: "S" });
    const thief = await door.enter();
    expect(await ada.call("r1", "secret")).toContain("ada");
    await enter(thief, roomOf("user", "ada"));
    await enter(thief, roomOf("session", "S"));
    expect(await thief.socket.emitWithAck("secret")).toBe("{}");
    expect(await thief.call("r1", "secret")).toBe("{}");
    expect(codeOf(await thief.join("private"))).toBe("FORBIDDEN");
    expect(codeOf(await thief.socket.emitWithAck("tell"))).toBe("UNAUTHENTICATED");
    expect(codeOf(await thief.socket.emitWithAck("wait"))).toBe("UNAUTHENTICATED");
    expect(door.realtime.list("private")).toEqual([]);
  });

  it("is not logged in with them", async () => {
    await using door = await careless();
    const [ada, thief] = [await door.enter({ session: "S" }), await door.enter({ session: "T" })];
    await enter(thief, roomOf("session", "S"));
    expect(await door.realtime.rotateSession("S", "S2", { user: "ada" })).toMatchObject({ sockets: 1 });
    const identities = [ada, thief].map(({ socket }) => door.realtime.identify(door.served.serverSide(socket)));
    expect(identities).toEqual([
      { user: "ada", session: "S2" },
      { user: undefined, session: "T" },
    ]);
  });

  it("loses nothing with them, and does not keep them from dropping out", async () => {
    await using door = await careless();
    door.realtime.topics.define("t", { public: true });
    const [ada, other] = [await door.enter({ user: "ada" }), await door.enter({ user: "grace" })];
    await ada.join("t");
    await other.join("t");
    await enter(other, roomOf("user", "ada"));
    expect(await door.realtime.revoke("ada")).toMatchObject({ sockets: 1 });
    expect(await door.realtime.count({ topic: "t" })).toMatchObject({ sockets: 1 });
    const dropped = deferred();
    door.realtime.watchForDropout("ada", dropped.resolve, 0);
    ada.socket.disconnect();
    await dropped.promise;
  });
});

describe("who has left the room of their own", () => {
  it("is found all the same when a topic is taken away, and when the session ends", async () => {
    await using door = await careless();
    door.realtime.topics.define("t", { public: true });
    const client = await door.enter({ user: "mallory", session: "S" });
    await client.join("t");
    for (const room of [roomOf("user", "mallory"), roomOf("session", "S")]) await exit(client, room);
    expect(await door.realtime.revoke("mallory", "t")).toMatchObject({ sockets: 1 });
    expect(await client.next("ingress:evicted")).toMatchObject({ topic: "t" });
    expect(await door.realtime.rotateSession("S", undefined, { user: null })).toMatchObject({ sockets: 1 });
    expect(door.realtime.identify(door.served.serverSide(client.socket))).toEqual({
      user: undefined,
      session: undefined,
    });
  });
});

it("who was taken out of the room of a topic is asked about it all the same at a login, and is not present as who they were", async () => {
  await using door = await careless();
  door.realtime.topics.define("t", {
    join: ({ socket }) => door.realtime.identify(socket).user === "ada",
    presence: true,
  });
  const client = await door.enter({ user: "ada" });
  await client.join("t");
  await exit(client, roomOf("topic", "t"));
  await door.realtime.setUser(door.served.serverSide(client.socket), "grace");
  expect(door.realtime.list("t")).toEqual([]);
  expect(await client.next("ingress:evicted")).toMatchObject({ topic: "t", code: "FORBIDDEN" });
});

it("whose socket it was is known to what runs after its end, and to nobody who looks for its user", async () => {
  await using door = await open();
  const told = vi.fn();
  const ended = deferred();
  door.ingress.subscribe("disconnect", ({ socket }) => {
    told(door.realtime.identify(socket));
    ended.resolve();
  });
  const client = await door.enter({ user: "ada", session: "S" });
  client.socket.disconnect();
  await ended.promise;
  expect(told).toHaveBeenCalledExactlyOnceWith({ user: "ada", session: "S" });
  expect(await door.realtime.rotateSession("S", "S2")).toMatchObject({ sockets: 0 });
});
