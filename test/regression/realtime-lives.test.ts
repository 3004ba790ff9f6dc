import { describe, expect, it, vi } from "vitest";
import { Realtime } from "socket-ingress/realtime";
import { type As, type Client, deferred, type Door, open, record } from "../features/realtime/door.js";

it("who leaves is gone, also when an interceptor keeps the door from being told", async () => {
  await using door = await open({
    presence: { graceMs: 10, heartbeatMs: 20 },
    ingress: {
      use: [
        ({ event }, next) => {
          if (event === "disconnecting") throw new Error("too many events");
          return next();
        },
      ],
    },
  });
  door.realtime.topics.define("t", { public: true, presence: true });
  const [ada, grace] = [await door.enter({ user: "ada" }), await door.enter({ user: "grace" })];
  await ada.join("t");
  await grace.join("t");
  const dropped = deferred();
  door.realtime.watchForDropout("ada", dropped.resolve, 0);
  ada.socket.disconnect();
  await dropped.promise;
  await vi.waitFor(() => expect(door.realtime.list("t")).toEqual([{ user: "grace" }]));
});

it("a connection that was recovered while there was no door is asked about its topics by the next one", async () => {
  await using door = await open({ server: { connectionStateRecovery: { maxDisconnectionDuration: 60_000 } } });
  let allowed = true;
  door.realtime.topics.define("private", { join: () => allowed });
  door.realtime.topics.define("public", { public: true });
  const client = await door.enter({ user: "ada" });
  await client.join("private");
  await client.join("public");
  await door.realtime.emitSocket("first", 1);
  await client.next("first");
  const gone = new Promise((resolve) => door.served.serverSide(client.socket).once("disconnect", resolve));
  client.socket.io.engine.close();
  await gone;
  await door.realtime.teardown();
  const back = new Promise<void>((resolve) => client.socket.once("connect", () => resolve()));
  client.socket.connect();
  await back;
  await client.caughtUp();
  expect(client.socket.recovered).toBe(true);
  allowed = false;
  await door.realtime.setup();
  await door.realtime.emitSocket("e", "private", { topic: "private" });
  await door.realtime.emitSocket("e", "public", { topic: "public" });
  await client.caughtUp();
  expect(client.got("e")).toEqual(["public"]);
  expect(client.got("ingress:evicted")).toMatchObject([{ topic: "private", code: "FORBIDDEN" }]);
  expect(await door.realtime.revoke("ada", "public")).toMatchObject({ sockets: 1 });
});

describe("while it is found out whose a connection is", () => {
  it("its session may end: it is taken in under the new one, as whoever logged in", async () => {
    const [asked, go] = [deferred(), deferred()];
    await using door = await open({
      user: async ({ handshake }) => {
        asked.resolve();
        await go.promise;
        return (handshake.auth as As).user;
      },
    });
    const client = record(door.served.client({ auth: { session: "before" } }));
    client.socket.connect();
    await asked.promise;
    await door.realtime.rotateSession("before", "between");
    await door.realtime.rotateSession("between", "after", { user: "ada" });
    await door.realtime.rotateSession("other", "before");
    go.resolve();
    await client.caughtUp();
    expect(door.realtime.identify(door.served.serverSide(client.socket))).toEqual({ user: "ada", session: "after" });
    expect(await door.realtime.count({ sessionId: "before" })).toMatchObject({ sockets: 0 });
  });

  it("it may be said: what is said then is newer", async () => {
    const [asked, go] = [deferred(), deferred()];
    await using door = await open({
      user: async () => {
        asked.resolve();
        await go.promise;
        return "ada";
      },
      session: () => "old",
    });
    const client = record(door.served.client());
    client.socket.connect();
    await asked.promise;
    const [serverSide] = door.served.io.sockets.sockets.values();
    await door.realtime.setUser(serverSide!, undefined);
    void door.realtime.setSession(serverSide!, "new");
    go.resolve();
    await client.caughtUp();
    expect(door.realtime.identify(serverSide!)).toEqual({ user: undefined, session: "new" });
    await door.realtime.setUser(serverSide!, "grace");
    expect(door.realtime.identify(serverSide!)).toEqual({ user: "grace", session: "new" });
  });
});

describe("a connection that was logged in or out before its door was torn down", () => {
  const who = (door: Door, { socket }: Client) => door.realtime.identify(door.served.serverSide(socket));

  it("is whose it was last when the door is set up again: a logout and a rotation hold", async () => {
    await using door = await open();
    door.realtime.topics.define("private", { join: ({ user }) => user === "ann" });
    const [ann, bob, cy] = [
      await door.enter({ user: "ann", session: "s1" }),
      await door.enter({ user: "bob", session: "s2" }),
      await door.enter({ user: "cy", session: "s3" }),
    ];
    await door.realtime.setUser(door.served.serverSide(ann.socket), undefined);
    await door.realtime.rotateSession("s2", "s4", { user: "dee" });
    for (let life = 0; life < 2; life++) {
      await door.realtime.teardown();
      await door.realtime.setup();
      expect([who(door, ann), who(door, bob), who(door, cy)]).toEqual([
        { user: undefined, session: "s1" },
        { user: "dee", session: "s4" },
        { user: "cy", session: "s3" },
      ]);
      expect(await ann.join("private")).toMatchObject({ error: { code: "FORBIDDEN" } });
      const reach = (user: string) => door.realtime.emitSocket("news", 1, { user }, { count: true });
      expect([await reach("ann"), await reach("bob"), await reach("dee")]).toMatchObject([
        { sockets: 0 },
        { sockets: 0 },
        { sockets: 1 },
      ]);
    }
  });

  it("is so for another door of the namespace, and for one that takes its time to find out whose it is", async () => {
    await using door = await open();
    const ann = await door.enter({ user: "ann" });
    await door.realtime.setUser(door.served.serverSide(ann.socket), undefined);
    await door.realtime.teardown();
    const next = new Realtime({ user: async () => "ann" });
    await next.setup(door.served.io);
    expect(next.identify(door.served.serverSide(ann.socket)).user).toBeUndefined();
    await next.teardown();
  });
});
