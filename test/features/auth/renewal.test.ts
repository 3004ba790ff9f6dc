import { Changes, type Model } from "socket-ingress/changes";
import { describe, expect, it } from "vitest";
import { Realtime } from "socket-ingress/realtime";
import type { Socket } from "socket.io";
import { deferred } from "../../fixtures/deferred.js";
import { ended, lives, open, tokenOf, whyOf } from "./gate.js";

describe("another token on the same connection", { timeout: 30_000 }, () => {
  it("8. Refreshed in place: same socket id, same topics, no event lost.", async () => {
    await using gate = await open({ claims: lives(4_000) });
    const client = await gate.enter(await tokenOf("ann", { sid: "s1", roles: ["a"] }));
    const { id } = client;
    const socket = gate.served.serverSide(client);
    await client.emitWithAck("ingress:join", "of:ann");
    const heard: unknown[] = [];
    client.on("news", (n) => heard.push(n));
    const events = Array.from({ length: 30 }, (_, n) => n);
    const replies: Promise<unknown>[] = [];
    let renewed: Promise<unknown> | undefined;
    for (const n of events) {
      if (n === 10) renewed = client.emitWithAck("ingress:token", await tokenOf("ann", { sid: "s1", roles: ["b"] }));
      replies.push(client.emitWithAck("say", n));
      void gate.realtime.emitSocket("news", n, { topic: "of:ann" });
    }
    const { expiresInMs } = (await renewed) as { expiresInMs: number };
    expect(expiresInMs).toBeGreaterThan(50_000);
    await Promise.all(replies);
    expect(gate.said).toEqual(events);
    // Past the end of the first.
    await new Promise((resolve) => void setTimeout(resolve, 4_500));
    await client.emitWithAck("sync");
    expect(heard).toEqual(events);
    expect(client.id).toBe(id);
    expect(gate.realtime.topicsOf(socket)).toEqual(["of:ann"]);
    expect(gate.auth.claimsOf(socket)).toMatchObject({ user: "ann", roles: ["b"] });
  });

  it("8. With another `sub`: refused, the old claims stay.", async () => {
    await using gate = await open();
    const client = await gate.enter(await tokenOf("ann", { roles: ["a"] }));
    const socket = gate.served.serverSide(client);
    const answer = await client.emitWithAck("ingress:token", await tokenOf("eve", { roles: ["admin"] }));
    expect(whyOf(answer)).toEqual(["FORBIDDEN", "otherUser"]);
    expect(gate.auth.claimsOf(socket)).toMatchObject({ user: "ann", roles: ["a"] });
    expect(gate.realtime.identify(socket).user).toBe("ann");
    expect(await client.emitWithAck("say", "hi")).toBe(1);
  });

  it.each<[string, () => unknown, string]>([
    ["none", () => undefined, "missing"],
    ["something else", () => ({ token: "x" }), "invalid"],
    [
      "a forged one",
      () => tokenOf("ann", {}, { key: Buffer.from("another secret, which is as long as it") }),
      "invalid",
    ],
    ["one that has expired", () => tokenOf("ann", {}, { expiresInMs: -1_000 }), "expired"],
  ])("that is %s changes nothing, and the one before it counts to its end", async (_what, make, reason) => {
    await using gate = await open({ claims: lives(3_000) });
    const client = await gate.enter(await tokenOf("ann"));
    const over = ended(client);
    expect(whyOf(await client.emitWithAck("ingress:token", await make()))).toEqual(["UNAUTHENTICATED", reason]);
    expect(await client.emitWithAck("say", "hi")).toBe(1);
    expect(await over).toMatchObject({ reason: "expired" });
  });

  it("of another session moves the socket to it", async () => {
    await using gate = await open();
    const client = await gate.enter(await tokenOf("ann", { sid: "s1" }));
    await client.emitWithAck("ingress:token", await tokenOf("ann", { sid: "s2" }));
    expect(gate.realtime.identify(gate.served.serverSide(client))).toEqual({ user: "ann", session: "s2" });
    expect(await gate.auth.revoke({ session: "s1" })).toMatchObject({ sockets: 0 });
    expect(await gate.auth.revoke({ session: "s2" })).toMatchObject({ sockets: 1 });
  });

  it("with fewer roles has the policies and variants of its topics asked again before it is answered", async () => {
    let posts!: Model<{ id: number; secret: string }>;
    await using gate = await open({
      before: (manager, auth) => {
        const realtime = manager.resolve(Realtime) as Realtime;
        const isAdmin = ({ socket }: { socket: Socket }): boolean =>
          auth.claimsOf(socket)?.roles.includes("admin") === true;
        realtime.topics.define("staff", { join: isAdmin });
        const changes = new Changes({ realtime, variant: (context) => (isAdmin(context) ? "admin" : "user") });
        posts = changes.define("post", { id: ({ id }) => id, fields: { admin: "*", user: ["id"] } });
        manager.registerHandler(changes);
      },
    });
    const client = await gate.enter(await tokenOf("ann", { roles: ["admin"] }));
    const socket = gate.served.serverSide(client);
    for (const topic of ["staff", "post"]) await client.emitWithAck("ingress:join", topic);
    const told: unknown[] = [];
    client.on("change", ({ payload }: { payload: unknown }) => told.push(payload));
    posts.created({ id: 1, secret: "for admins" });
    await client.emitWithAck("ingress:token", await tokenOf("ann", { roles: [] }));
    posts.created({ id: 2, secret: "for admins" });
    await client.emitWithAck("sync");
    expect(told).toEqual([{ id: 1, secret: "for admins" }, { id: 2 }]);
    expect(gate.realtime.topicsOf(socket)).toEqual(["post"]);
  });

  it("that says the same, but for how long it counts, has nobody asked again", async () => {
    const asked: unknown[] = [];
    await using gate = await open({
      before: (manager) => {
        const realtime = manager.resolve(Realtime) as Realtime;
        realtime.topics.define("room", { join: ({ user }) => asked.push(user) > 0 });
      },
    });
    const client = await gate.enter(await tokenOf("ann", { roles: ["a"], jti: "1" }));
    await client.emitWithAck("ingress:join", "room");
    await client.emitWithAck("ingress:token", await tokenOf("ann", { roles: ["a"], jti: "2" }));
    expect(asked).toEqual(["ann"]);
    await client.emitWithAck("ingress:token", await tokenOf("ann", { roles: ["a"], plan: "pro" }));
    expect(asked).toEqual(["ann", "ann"]);
  });

  it("is looked at one after the other, and a flood of them is refused", async () => {
    const [go, began] = [deferred(), deferred()];
    let asked = 0;
    await using gate = await open({
      claims: async () => {
        if (++asked === 1) return;
        began.resolve();
        await go.promise;
      },
    });
    const token = await tokenOf("ann");
    const client = await gate.enter(token);
    const answers = Array.from({ length: 20 }, () => client.emitWithAck("ingress:token", token) as Promise<unknown>);
    await began.promise;
    const refused = await Promise.all(answers.slice(2));
    expect(refused.map(whyOf)).toEqual(refused.map(() => ["OVERLOADED", undefined]));
    expect(asked).toBe(2);
    go.resolve();
    for (const answer of await Promise.all(answers.slice(0, 2))) expect(answer).toHaveProperty("expiresInMs");
  });
});

describe("a guest", { timeout: 30_000 }, () => {
  it("12. `optional: true`: a guest joins, logs in later, policies are asked again.", async () => {
    const asked: unknown[] = [];
    await using gate = await open({
      optional: true,
    });
    gate.realtime.topics.define("room", { join: ({ user, session }) => void asked.push([user, session]) });
    gate.realtime.topics.define("guests", { join: ({ user }) => user === undefined });
    const client = await gate.enter();
    const socket = gate.served.serverSide(client);
    const evicted: unknown[] = [];
    client.on("ingress:evicted", (frame) => evicted.push(frame));
    expect(await client.emitWithAck("ingress:join", "room")).toEqual({});
    expect(await client.emitWithAck("ingress:join", "guests")).toEqual({});
    expect(gate.auth.claimsOf(socket)).toBeUndefined();
    expect(await client.emitWithAck("ingress:token", await tokenOf("ann", { sid: "s1" }))).toHaveProperty(
      "expiresInMs",
    );
    expect(gate.realtime.identify(socket)).toEqual({ user: "ann", session: "s1" });
    expect(asked[0]).toEqual([undefined, undefined]);
    expect(asked.at(-1)).toEqual(["ann", "s1"]);
    expect(gate.realtime.topicsOf(socket)).toEqual(["room"]);
    await client.emitWithAck("sync");
    expect(evicted).toMatchObject([{ topic: "guests", code: "FORBIDDEN" }]);
    expect(await gate.auth.revoke({ user: "ann" })).toMatchObject({ sockets: 1 });
  });

  it("with a token that is not good is none", async () => {
    await using gate = await open({ optional: true });
    expect(await gate.refused("forged")).toMatchObject({ details: { reason: "invalid" } });
    expect(await gate.refused(await tokenOf("ann", {}, { expiresInMs: -1_000 }))).toMatchObject({
      details: { reason: "expired" },
    });
  });

  it("is not let in to what asks for somebody", async () => {
    await using gate = await open({ optional: true });
    gate.ingress.subscribe("pay", () => "paid", { use: [gate.auth.require()] });
    const client = await gate.enter();
    expect(whyOf(await client.emitWithAck("pay"))).toEqual(["UNAUTHENTICATED", "missing"]);
    await client.emitWithAck("ingress:token", await tokenOf("ann"));
    expect(await client.emitWithAck("pay")).toBe("paid");
  });
});
