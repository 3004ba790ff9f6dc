import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import express from "express";
import expressSession from "express-session";
import { Server } from "socket.io";
import { io as openClient } from "socket.io-client";
import { describe, expect, it } from "vitest";
import { EventError, SocketIngress } from "socket-ingress";
import { group, Realtime, session, union, user } from "socket-ingress/realtime";
import { recordingLog } from "../../fixtures/recording-log.js";
import { deferred, open, record } from "./door.js";

describe("the identity of a socket", () => {
  it("is what the server says, also for sockets that were there before the door", async () => {
    await using door = await open({ before: (_manager, realtime) => realtime.topics.define("t", { public: true }) });
    const client = await door.enter({ user: "ada", session: "S" });
    const serverSide = door.served.serverSide(client.socket);
    expect(door.realtime.identify(serverSide)).toEqual({ user: "ada", session: "S" });
    await client.join("t");
    await door.realtime.teardown();
    expect([...serverSide.rooms]).toEqual([client.id]);
    await door.realtime.setup();
    expect(door.realtime.identify(serverSide)).toEqual({ user: "ada", session: "S" });
    expect(await client.join("t")).toEqual({});
  });

  it("that takes time to find keeps the socket's events waiting", async () => {
    const go = deferred();
    await using door = await open({
      user: async ({ handshake }) => {
        await go.promise;
        return handshake.auth["user"] as string;
      },
    });
    door.realtime.topics.define("t", { join: ({ socket }) => door.realtime.identify(socket).user === "ada" });
    const client = record(door.served.client({ auth: { user: "ada" } }));
    client.socket.connect();
    const joined = client.join("t");
    await new Promise<void>((resolve) => client.socket.once("connect", resolve));
    go.resolve();
    expect(await joined).toEqual({});
  });

  it("that can't be found ends the connection", async () => {
    await using door = await open({
      user: () => {
        throw new Error("database is down");
      },
    });
    const client = record(door.served.client());
    client.socket.connect();
    expect(await new Promise((resolve) => client.socket.once("disconnect", resolve))).toBe("io server disconnect");
    expect(door.log.lines.some(({ level, fields }) => level === "error" && fields["event"] === "connection")).toBe(
      true,
    );
  });

  it.each([[5], [""], [{}], [["ada"]]])("that is %j, no string, ends the connection", async (id) => {
    await using door = await open({ user: () => id as never });
    const client = record(door.served.client());
    client.socket.connect();
    expect(await new Promise((resolve) => client.socket.once("disconnect", resolve))).toBe("io server disconnect");
  });

  it("is set anew at a login: pushes to the user arrive, and topics are asked about again", async () => {
    await using door = await open();
    door.realtime.topics.define("public", { public: true });
    door.realtime.topics.define("anonymous", {
      join: ({ socket }) => door.realtime.identify(socket).user === undefined,
    });
    const client = await door.enter();
    await client.join("public");
    await client.join("anonymous");
    await door.realtime.setUser(door.served.serverSide(client.socket), "ada");
    await door.realtime.emitSocket("e", "user", { user: "ada" });
    await door.realtime.emitSocket("e", "anonymous", { topic: "anonymous" });
    await door.realtime.emitSocket("e", "public", { topic: "public" });
    await client.caughtUp();
    expect(client.got("e")).toEqual(["user", "public"]);
    expect(client.got("ingress:evicted")).toMatchObject([{ topic: "anonymous", code: "FORBIDDEN" }]);
  });

  it("is gone at a logout: nothing for the user arrives any more, and policies decide anew", async () => {
    await using door = await open();
    door.realtime.topics.define("private", {
      join({ socket }) {
        if (door.realtime.identify(socket).user !== "ada") throw new EventError("UNAUTHENTICATED", "log in first");
      },
    });
    const client = await door.enter({ user: "ada" });
    await client.join("private");
    await door.realtime.setUser(door.served.serverSide(client.socket), undefined);
    await door.realtime.emitSocket("e", 1, { user: "ada" });
    await door.realtime.emitSocket("e", 1, { topic: "private" });
    await client.caughtUp();
    expect(client.events).toEqual([
      ["ingress:evicted", { topic: "private", code: "UNAUTHENTICATED", message: "log in first" }],
    ]);
  });

  it("of a session changes: pushes to the new id reach the open socket, the old id reaches nobody, and no id is sent to a client", async () => {
    await using door = await open();
    const tabs = await Promise.all([door.enter({ session: "old-id" }), door.enter({ session: "old-id" })]);
    expect(await door.realtime.rotateSession("old-id", "new-id")).toEqual({ sockets: 2, nodes: 1, complete: true });
    expect(await door.realtime.emitSocket("e", "old", { sessionId: "old-id" }, { count: true })).toMatchObject({
      sockets: 0,
    });
    expect(await door.realtime.emitSocket("e", "new", { sessionId: "new-id" }, { count: true })).toMatchObject({
      sockets: 2,
    });
    for (const tab of tabs) {
      await tab.caughtUp();
      expect(tab.events).toEqual([["e", "new"]]);
      expect(JSON.stringify(tab.events)).not.toContain("-id");
    }
    await door.realtime.setSession(door.served.serverSide(tabs[0].socket), "third");
    expect(await door.realtime.count({ sessionId: "third" })).toMatchObject({ sockets: 1 });
    expect(await door.realtime.count({ sessionId: "new-id" })).toMatchObject({ sockets: 1 });
  });
});

describe("a login", () => {
  it("makes all tabs of the session the user's, under its new id; a logout makes them nobody's", async () => {
    await using door = await open();
    door.realtime.topics.define("mine", { join: ({ socket }) => door.realtime.identify(socket).user !== undefined });
    const tabs = [await door.enter({ session: "before" }), await door.enter({ session: "before" })];
    const other = await door.enter({ session: "other" });
    const login = await door.realtime.rotateSession("before", "after", { user: "ada" });
    expect(login).toEqual({ sockets: 2, nodes: 1, complete: true });
    expect(await door.realtime.count({ user: "ada", sessionId: "after" })).toMatchObject({ sockets: 2 });
    expect(door.realtime.identify(door.served.serverSide(other.socket))).toEqual({ user: undefined, session: "other" });
    for (const tab of tabs) expect(await tab.join("mine")).toEqual({});
    await door.realtime.rotateSession("after", undefined, { user: null });
    expect(await door.realtime.count({ user: "ada" })).toMatchObject({ sockets: 0 });
    expect(await door.realtime.count({ topic: "mine" })).toMatchObject({ sockets: 0 });
    for (const tab of tabs) {
      await tab.caughtUp();
      expect(tab.got("ingress:evicted")).toMatchObject([{ topic: "mine", code: "FORBIDDEN" }]);
      expect(door.realtime.identify(door.served.serverSide(tab.socket))).toEqual({
        user: undefined,
        session: undefined,
      });
    }
    for (const wrong of ["", undefined, 5])
      await expect(door.realtime.rotateSession(wrong as string, "x")).rejects.toThrow(TypeError);
  });

  it("within an event is done before the event is answered, however few events may run at once", async () => {
    await using door = await open({ ingress: { maxInFlight: 1 } });
    door.realtime.topics.define("mine", {
      join: async ({ socket, signal, log, reply }) => {
        if (signal.aborted || typeof reply !== "function") throw new Error("no context");
        log.debug("asked");
        return door.realtime.identify(socket).user === "ada";
      },
    });
    door.ingress.subscribe("log_out", async ({ socket }) => {
      await door.realtime.setUser(socket, undefined);
      return "done";
    });
    const client = await door.enter({ user: "ada" });
    expect(await client.join("mine")).toEqual({});
    const listeners = door.served.serverSide(client.socket).listenerCount("disconnect");
    expect(await client.socket.emitWithAck("log_out")).toBe("done");
    expect(client.got("ingress:evicted")).toMatchObject([{ topic: "mine" }]);
    expect(door.served.serverSide(client.socket).listenerCount("disconnect")).toBeLessThanOrEqual(listeners);
  });

  it("of a socket that is gone changes nothing", async () => {
    await using door = await open();
    const client = await door.enter({ user: "ada" });
    const serverSide = door.served.serverSide(client.socket);
    const gone = new Promise((resolve) => serverSide.once("disconnect", resolve));
    client.socket.disconnect();
    await gone;
    await door.realtime.setUser(serverSide, "grace");
    expect(await door.realtime.count({ user: "grace" })).toMatchObject({ sockets: 0 });
    expect(door.served.io.of("/").adapter.rooms.size).toBe(0);
  });
});

describe("with express-session", () => {
  it("a login rotates the session: the open socket is reached by the new id and not by the old one", async () => {
    const app = express();
    const httpServer = createServer(app);
    const io = new Server(httpServer);
    const withSession = expressSession({ secret: "test", resave: false, saveUninitialized: true });
    io.engine.use(withSession);
    const log = recordingLog();
    const ingress = new SocketIngress({ logger: log }).attach(io);
    ingress.subscribe("sync", () => true);
    type WithSession = { session: { id: string } };
    await using realtime = new Realtime({ session: ({ request }) => (request as unknown as WithSession).session.id });
    app.use(withSession);
    app.get("/", (request, response) => void response.send(request.session.id));
    app.post("/login", (request, response, next) => {
      const before = request.session.id;
      request.session.regenerate((error) => {
        if (error) return next(error);
        realtime
          .rotateSession(before, request.session.id, { user: "ada" })
          .then(() => response.send(request.session.id), next);
      });
    });
    await realtime.setup(io);
    httpServer.listen(0, "127.0.0.1");
    await once(httpServer, "listening");
    const url = `http://127.0.0.1:${(httpServer.address() as AddressInfo).port}`;

    const page = await fetch(url);
    const cookie = page.headers.get("set-cookie")?.split(";")[0] ?? "";
    const old = await page.text();
    const client = record(
      openClient(url, { transports: ["websocket"], forceNew: true, reconnection: false, extraHeaders: { cookie } }),
    );
    await client.caughtUp();
    expect(await realtime.count({ sessionId: old })).toMatchObject({ sockets: 1 });

    const fresh = await (await fetch(`${url}/login`, { method: "POST", headers: { cookie } })).text();
    expect(fresh).not.toBe(old);
    await realtime.emitSocket("e", "old", { sessionId: old });
    await realtime.emitSocket("e", "new", { sessionId: fresh });
    await realtime.emitSocket("e", "user", { user: "ada" });
    await client.caughtUp();
    expect(client.events).toEqual([
      ["e", "new"],
      ["e", "user"],
    ]);
    client.socket.disconnect();
    await io.close();
  });
});

describe("a recovered connection", () => {
  it("is in the topics its policies still allow, and in no other", async () => {
    let allowed = true;
    await using door = await open({ server: { connectionStateRecovery: { maxDisconnectionDuration: 60_000 } } });
    door.realtime.topics.define("kept", { public: true });
    door.realtime.topics.define("lost", { join: () => allowed });
    const client = await door.enter({ user: "ada" }, { reconnection: true, reconnectionDelay: 10 });
    await client.join("kept");
    await client.join("lost");
    // Something to recover from: Socket.IO needs the offset of an event.
    await door.realtime.emitSocket("first", 1);
    await client.next("first");
    allowed = false;
    const back = new Promise<void>((resolve) => client.socket.io.once("reconnect", () => resolve()));
    client.socket.io.engine.close();
    await back;
    await client.caughtUp();
    expect(client.socket.recovered).toBe(true);
    await door.realtime.emitSocket("e", "kept", { topic: "kept" });
    await door.realtime.emitSocket("e", "lost", { topic: "lost" });
    await client.caughtUp();
    expect(client.got("e")).toEqual(["kept"]);
    expect(client.got("ingress:evicted")).toMatchObject([{ topic: "lost", code: "FORBIDDEN" }]);
  });

  it("is nobody's that it no longer is, and in no group it was taken out of, however often it is recovered", async () => {
    let who = "ada";
    await using door = await open({
      server: { connectionStateRecovery: { maxDisconnectionDuration: 60_000 } },
      user: async () => who,
      session: () => `session of ${who}`,
    });
    await door.realtime.enroll(group("g"), "ada");
    const client = await door.enter({}, { reconnection: true, reconnectionDelay: 10 });
    await door.realtime.emitSocket("first", 1);
    await client.next("first");
    await door.realtime.withdraw(group("g"), "ada");
    who = "grace";
    await door.realtime.enroll(group("h"), "grace");
    for (const attempt of [1, 2]) {
      const back = new Promise<void>((resolve) => client.socket.io.once("reconnect", () => resolve()));
      client.socket.io.engine.close();
      await back;
      await client.caughtUp();
      expect(client.socket.recovered).toBe(true);
      const rooms = [...door.served.serverSide(client.socket).rooms].sort();
      expect(rooms).toEqual([client.id, "ingress:g:h", "ingress:s:session of grace", "ingress:u:grace"].sort());
      await door.realtime.emitSocket("e", attempt, union(group("g"), user("ada"), session("session of ada")));
    }
    await client.caughtUp();
    expect(client.got("e")).toEqual([]);
  });
});
