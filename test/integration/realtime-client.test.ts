import { EventError } from "socket-ingress";
import type { JoinedTopic } from "socket-ingress/client";
import { group, players as playersOf, session, topic, user } from "socket-ingress/realtime";
import { describe, expect, it, vi } from "vitest";
import { deferred } from "../client/fixtures/deferred.js";
import { rejection } from "../client/fixtures/rejection.js";
import { realtimeStage, type Player } from "./realtime-stage.js";

const heard = (...players: Player[]): string[][] => players.map((player) => player.heard);

describe.each(["real sockets", "memory"] as const)("client and server over %s", (transport) => {
  describe("topics", () => {
    it("are joined again with no user code when the transport drops and comes back with a new id", async () => {
      await using stage = await realtimeStage(transport);
      const ann = await stage.join({ user: "ann" });
      await ann.client.joinTopic("room:42");
      const { id } = ann.socket;
      expect(await ann.reconnect()).toEqual({ recovered: false });
      expect(ann.socket.id).not.toBe(id);
      await stage.caughtUp(ann);
      await stage.realtime.emitSocket("items_changed", { source: "x" }, { topic: "room:42" });
      await stage.caughtUp(ann);
      expect(ann.heard).toEqual(["items_changed x"]);
    });

    it("joined twice by one client deliver once, and go on until the second component leaves", async () => {
      await using stage = await realtimeStage(transport);
      const ann = await stage.join({ user: "ann" });
      const push = async (source: string): Promise<void> => {
        await stage.realtime.emitSocket("items_changed", { source }, { topic: "room:42" });
        await stage.caughtUp(ann);
      };
      const [first, second] = await Promise.all([ann.client.joinTopic("room:42"), ann.client.joinTopic("room:42")]);
      await push("both");
      first();
      await stage.caughtUp(ann);
      await push("one");
      second();
      await stage.caughtUp(ann);
      await push("none");
      expect(ann.heard).toEqual(["items_changed both", "items_changed one"]);
    });

    it("reach those who joined, and who has left no more", async () => {
      await using stage = await realtimeStage(transport);
      const [ann, bob, eve] = await Promise.all(["ann", "bob", "eve"].map((name) => stage.join({ user: name })));
      if (!ann || !bob || !eve) throw new Error("three players");
      const leave = await ann.client.joinTopic("room:42");
      await bob.client.joinTopic("room:42");
      await stage.realtime.emitSocket("items_changed", { source: "1" }, topic("room:42"));
      await stage.caughtUp(ann, bob, eve);
      leave();
      await stage.caughtUp(ann);
      await stage.realtime.emitSocket("items_changed", { source: "2" }, topic("room:42"));
      await stage.caughtUp(ann, bob, eve);
      expect(heard(ann, bob, eve)).toEqual([["items_changed 1"], ["items_changed 1", "items_changed 2"], []]);
    });

    it("that the policy refuses reject with FORBIDDEN, as do those nobody declared, and nothing of them arrives", async () => {
      await using stage = await realtimeStage(transport);
      const eve = await stage.join({ user: "eve" });
      expect((await rejection(eve.client.joinTopic("room:42"))).code).toBe("FORBIDDEN");
      for (const name of ["secret", eve.socket.id ?? "", "user:ann", "__proto__"]) {
        expect((await rejection(eve.client.joinTopic(name))).code).toBe("FORBIDDEN");
      }
      await stage.realtime.emitSocket("items_changed", { source: "x" }, { topic: "room:42" });
      await stage.caughtUp(eve);
      expect(eve.heard).toEqual([]);
    });

    it("answer with a snapshot, fresh after each rejoin", async () => {
      await using stage = await realtimeStage(transport);
      const ann = await stage.join({ user: "ann" });
      const onJoined = vi.fn<(joined: JoinedTopic) => void>();
      const onSnapshot = vi.fn<(snapshot: unknown) => void>();
      await ann.client.joinTopic("room:42", { onJoined, onSnapshot });
      stage.market.items = 5;
      await ann.reconnect();
      await stage.caughtUp(ann);
      expect(onJoined.mock.calls).toEqual([
        [{ snapshot: { room: "42", items: 0 }, rejoined: false, recovered: false }],
        [{ snapshot: { room: "42", items: 5 }, rejoined: true, recovered: false }],
      ]);
      expect(onSnapshot.mock.calls).toEqual([[{ room: "42", items: 0 }], [{ room: "42", items: 5 }]]);
    });

    it("that are revoked are lost at once, and told", async () => {
      await using stage = await realtimeStage(transport);
      const [ann, bob] = [await stage.join({ user: "ann" }), await stage.join({ user: "bob" })];
      const lost = deferred<string>();
      await ann.client.joinTopic("room:42", { onLost: ({ code, message }) => lost.resolve(`${code} ${message}`) });
      await bob.client.joinTopic("room:42");
      stage.readers.delete("ann");
      await stage.realtime.revoke("ann", "room:42", { message: "you were removed" });
      expect(await lost.promise).toBe("FORBIDDEN you were removed");
      await stage.realtime.emitSocket("items_changed", { source: "x" }, { topic: "room:42" });
      await stage.caughtUp(ann, bob);
      expect(heard(ann, bob)).toEqual([[], ["items_changed x"]]);
    });

    it("that are refused after a reconnect are lost, and told", async () => {
      await using stage = await realtimeStage(transport);
      const ann = await stage.join({ user: "ann" });
      const lost = deferred<string>();
      await ann.client.joinTopic("room:42", { onLost: ({ code }) => lost.resolve(code) });
      stage.readers.clear();
      await ann.reconnect();
      expect(await lost.promise).toBe("FORBIDDEN");
    });

    it("survive joining, leaving and joining in every rhythm", async () => {
      await using stage = await realtimeStage(transport);
      const ann = await stage.join({ user: "ann" });
      let last = ann.client.joinTopic("room:42");
      for (let n = 0; n < 20; n++) {
        last.leave();
        if (n % 2 === 0) await Promise.resolve();
        if (n % 5 === 0) await stage.caughtUp(ann);
        last = ann.client.joinTopic("room:42");
      }
      await last;
      await stage.realtime.emitSocket("items_changed", { source: "x" }, { topic: "room:42" });
      await stage.caughtUp(ann);
      expect(ann.heard).toEqual(["items_changed x"]);
      last.leave();
      await stage.caughtUp(ann);
      expect(await stage.realtime.count({ topic: "room:42" })).toMatchObject({ sockets: 0 });
    });
  });

  describe("presence", () => {
    it("is the state, then the differences, by user and not by tab", async () => {
      await using stage = await realtimeStage(transport);
      const ann = await stage.join({ user: "ann" });
      const told: string[] = [];
      const [came, gone] = [deferred(), deferred()];
      ann.client.onPresence("room:42", (members, { joined, left }) => {
        const names = (all: readonly { user: string }[]): string => all.map((member) => member.user).join();
        told.push(`${names(members)} +${names(joined)} -${names(left)}`);
        if (members.length === 2) came.resolve();
        if (left.length > 0) gone.resolve();
      });
      await ann.client.joinTopic("room:42");
      const [tab, otherTab] = [await stage.join({ user: "bob" }), await stage.join({ user: "bob" })];
      await tab.client.joinTopic("room:42");
      await otherTab.client.joinTopic("room:42");
      expect(tab.client.presence("room:42").map((member) => member.user)).toEqual(["ann", "bob"]);
      await came.promise;
      tab.socket.disconnect();
      await stage.caughtUp(ann, otherTab);
      otherTab.socket.disconnect();
      await gone.promise;
      expect(told).toEqual(["ann +ann -", "ann,bob +bob -", "ann + -bob"]);
    });
  });

  describe("signal, then refetch", () => {
    it("calls the action once for a signal", async () => {
      await using stage = await realtimeStage(transport);
      const ann = await stage.join({ user: "ann" });
      const result = deferred<number>();
      ann.client.refetchOnSocket("items_changed", "get_items", result.resolve);
      stage.market.items = 7;
      await stage.realtime.emitSocket("items_changed", { source: "import" });
      expect(await result.promise).toBe(7);
      expect(stage.market.ran).toEqual(["get_items"]);
    });

    it("calls the action the server names, with its payload, only if the client listed it", async () => {
      await using stage = await realtimeStage(transport);
      const [ann, bob] = [await stage.join({ user: "ann" }), await stage.join({ user: "bob" })];
      const result = deferred<unknown>();
      ann.client.refetchOnSocket("item_changed", "get_item", result.resolve, { payload: undefined });
      await stage.realtime.emitSocketRefetch("get_item", { payload: { id: 7 } });
      expect(await result.promise).toEqual({ id: 7 });
      await stage.caughtUp(ann, bob);
      expect(stage.market.ran).toEqual(['get_item {"id":7}']);
    });

    it("runs the function of those who listen to the signal the server names", async () => {
      await using stage = await realtimeStage(transport);
      const ann = await stage.join({ user: "ann" });
      await ann.client.joinTopic("room:42");
      const result = deferred<number>();
      ann.client.refetchOnSocket("items_changed", () => ann.client.call("get_items"), result.resolve);
      stage.market.items = 3;
      await stage.realtime.emitSocketRefetch("get_items", { event: "items_changed", topic: "room:42" });
      expect(await result.promise).toBe(3);
    });

    it("leaves out the one whose doing it was, if that one told so", async () => {
      await using stage = await realtimeStage(transport);
      const [ann, bob] = [await stage.join({ user: "ann" }), await stage.join({ user: "bob" })];
      const fetched = [ann, bob].map(({ client }) => {
        const mine: unknown[] = [];
        client.refetchOnSocket("item_changed", "get_item", (item) => mine.push(item), {
          payload: undefined,
          skipOwn: true,
        });
        return mine;
      });
      await stage.realtime.emitSocketRefetch("get_item", { payload: { id: 7 }, origin: ann.socket.id ?? "" });
      await stage.caughtUp(ann, bob);
      expect(fetched).toEqual([[], [{ id: 7 }]]);
    });

    it("turns fifty signals into two calls, and the last state is fresh", async () => {
      await using stage = await realtimeStage(transport);
      const { market } = stage;
      const ann = await stage.join({ user: "ann" });
      const seen: number[] = [];
      const fresh = deferred();
      ann.client.refetchOnSocket("items_changed", "get_items", (items) => {
        seen.push(items);
        if (items === 50) fresh.resolve();
      });
      market.gate = deferred();
      for (let n = 0; n < 50; n++) {
        market.items += 1;
        void stage.realtime.emitSocket("items_changed", { source: String(n) });
      }
      await market.arrived.promise;
      await stage.caughtUp(ann);
      market.gate.resolve();
      await fresh.promise;
      // The second begins a moment after the first.
      await vi.waitFor(() => expect(seen).toHaveLength(2));
      await stage.caughtUp(ann);
      expect(market.ran.filter((name) => name === "get_items").length).toBe(2);
      expect(seen.at(-1)).toBe(50);
    });

    it("turns fifty of the server's signals to a topic into two calls of each client", async () => {
      await using stage = await realtimeStage(transport);
      const { market } = stage;
      const players = await Promise.all(["ann", "bob"].map((name) => stage.join({ user: name })));
      market.gate = deferred();
      const subscribed = players.map(async ({ client }) => {
        await client.joinTopic("room:42");
        const second = deferred();
        const calls = { made: 0, seen: [] as number[], second: second.promise };
        const fetch = (): Promise<number> => {
          calls.made += 1;
          return client.call("get_items");
        };
        client.refetchOnSocket("items_changed", fetch, (items) => {
          if (calls.seen.push(items) === 2) second.resolve();
        });
        return calls;
      });
      const clients = await Promise.all(subscribed);
      for (let n = 0; n < 50; n++) {
        market.items += 1;
        void stage.realtime.emitSocketRefetch("get_items", { event: "items_changed", topic: "room:42" });
      }
      await stage.caughtUp(...players);
      market.gate.resolve();
      await Promise.all(clients.map(({ second }) => second));
      await stage.caughtUp(...players);
      expect(clients.map(({ made, seen }) => [made, seen.at(-1)])).toEqual([
        [2, 50],
        [2, 50],
      ]);
    });

    it("fetches each subscription once after a reconnect, and what it was told late is dropped", async () => {
      await using stage = await realtimeStage(transport);
      const ann = await stage.join({ user: "ann" });
      const seen: number[] = [];
      ann.client.refetchOnSocket("items_changed", "get_items", (items) => seen.push(items));
      stage.market.items = 9;
      await ann.reconnect();
      await stage.caughtUp(ann);
      expect(seen).toEqual([9]);
    });

    it("does not fetch after a recovered reconnect", async () => {
      await using stage = await realtimeStage(transport, { connectionStateRecovery: {} });
      const ann = await stage.join({ user: "ann" });
      const seen: number[] = [];
      await ann.client.joinTopic("room:42");
      const off = ann.client.refetchOnSocket("item_changed", "get_items", (items) => seen.push(items));
      // Socket.IO recovers only those who have received something.
      await stage.realtime.emitSocket("items_changed", { source: "before" }, { topic: "room:42" });
      await stage.caughtUp(ann);
      expect(await ann.reconnect()).toEqual({ recovered: true });
      await stage.caughtUp(ann);
      await stage.realtime.emitSocket("items_changed", { source: "after" }, { topic: "room:42" });
      await stage.caughtUp(ann);
      expect(seen).toEqual([]);
      expect(ann.heard).toEqual(["items_changed before", "items_changed after"]);
      off();
    });

    it("tells onError when the action fails, and else the log", async () => {
      await using stage = await realtimeStage(transport);
      const ann = await stage.join({ user: "ann" });
      const failed = deferred<unknown>();
      ann.client.refetchOnSocket("items_changed", "broken", () => {}, { onError: failed.resolve });
      ann.client.refetchOnSocket("items_changed", "broken", () => {});
      await stage.realtime.emitSocket("items_changed", { source: "x" });
      expect(await failed.promise).toMatchObject({ code: "INTERNAL" });
      await stage.caughtUp(ann);
      expect(ann.logger.lines).toHaveLength(1);
      expect(ann.logger.lines[0]).toMatch(/^warn: socket-ingress: the refetch of "broken" failed EventFailure/);
    });
  });

  describe("live methods", () => {
    it("resolve for the caller only, and notify every player once, the sender included", async () => {
      await using stage = await realtimeStage(transport);
      const players = [await stage.join({ user: "ann" }), await stage.join({ user: "bob" })];
      const eve = await stage.join({ user: "eve" });
      for (const name of ["ann", "bob"]) await stage.realtime.enroll(playersOf("s1"), name);
      const offers = [...players, eve].map(({ client }) => {
        const got: unknown[] = [];
        client.onCustomEvent("NewOffer", (price) => got.push(price));
        return got;
      });
      await expect(players[0]?.client.call("post_offer", 3.5)).resolves.toEqual({ posted: 3.5 });
      await stage.caughtUp(...players, eve);
      expect(offers).toEqual([[3.5], [3.5], []]);
    });

    it("reach the others in the group without the sender's other tabs; one other must be one", async () => {
      await using stage = await realtimeStage(transport);
      const all = [];
      for (const name of ["ann", "ann", "bob", "cec"]) all.push(await stage.join({ user: name }));
      const [ann] = all;
      for (const name of ["ann", "bob"]) await stage.realtime.enroll(group("g1"), name);
      const offers = all.map(({ client }) => {
        const got: unknown[] = [];
        client.onCustomEvent("NewOffer", (price) => got.push(price));
        return got;
      });
      await ann?.client.call("tell_others", 1);
      await ann?.client.call("tell_other", 2);
      await stage.realtime.enroll(group("g1"), "cec");
      await ann?.client.call("tell_others", 3);
      expect((await rejection(ann?.client.call("tell_other", 4) ?? Promise.resolve())).code).toBe("CONFLICT");
      await stage.caughtUp(...all);
      expect(offers).toEqual([[], [], [1, 2, 3], [3]]);
    });

    it("reject with INVALID_INPUT and the path for a bad argument, and do not run", async () => {
      await using stage = await realtimeStage(transport);
      const ann = await stage.join({ user: "ann" });
      const error = await rejection(ann.client.call("order", { count: "many" } as never));
      expect(error.code).toBe("INVALID_INPUT");
      expect(error.details).toMatchObject({ issues: [{ path: ["count"] }] });
      expect(stage.market.ran).toEqual([]);
    });

    it("reject with a safe code when they throw; the stack stays and the socket stays open", async () => {
      await using stage = await realtimeStage(transport);
      const ann = await stage.join({ user: "ann" });
      const error = await rejection(ann.client.call("broken"));
      expect(error.code).toBe("INTERNAL");
      expect(JSON.stringify([error.message, error.details])).not.toContain("db.internal");
      await expect(ann.client.call("order", { count: 1 })).resolves.toEqual({ ordered: 1 });
    });

    it("reject when the connection drops while they are pending", async () => {
      await using stage = await realtimeStage(transport);
      const { market } = stage;
      market.gate = deferred();
      const ann = await stage.join({ user: "ann" });
      const slow = rejection(ann.client.call("slow"));
      await market.arrived.promise;
      ann.drop();
      expect((await slow).code).toBe("DISCONNECTED");
      market.gate.resolve();
    });

    it("run once when they are called again with the same request id, across a reconnect, and both get the answer", async () => {
      await using stage = await realtimeStage(transport);
      const { market } = stage;
      market.gate = deferred();
      const ann = await stage.join({ user: "ann" });
      const back = ann.reconnected();
      const retried = ann.client.with({ retries: 3 }).call("slow");
      await market.arrived.promise;
      const twin = ann.client.with({ requestId: "r1" });
      const both = [twin.call("order", { count: 1 }), twin.call("order", { count: 1 })];
      await expect(Promise.all(both)).resolves.toEqual([{ ordered: 1 }, { ordered: 1 }]);
      ann.drop();
      await back;
      await stage.caughtUp(ann);
      market.gate.resolve();
      await expect(retried).resolves.toBe("done");
      expect(market.ran).toEqual(["slow", "order 1"]);
      // And later again.
      await expect(twin.call("order", { count: 1 })).resolves.toEqual({ ordered: 1 });
      expect(market.ran).toEqual(["slow", "order 1"]);
    });

    it("with an unknown event reject with UNKNOWN_EVENT, also through a request id", async () => {
      await using stage = await realtimeStage(transport);
      const ann = await stage.join({ user: "ann" });
      const call = ann.client.call as (event: string) => Promise<unknown>;
      expect((await rejection(call("nothing"))).code).toBe("UNKNOWN_EVENT");
      const again = ann.client.with({ retries: 1 }).call as (event: string) => Promise<unknown>;
      expect((await rejection(again("nothing"))).code).toBe("UNKNOWN_EVENT");
    });
  });

  describe("notices", () => {
    it("with a name reach its listeners, without one the default listener, and with no listener a warning", async () => {
      await using stage = await realtimeStage(transport);
      const ann = await stage.join({ user: "ann" });
      const got: unknown[] = [];
      const off = ann.client.receive((data) => got.push(["default", data]));
      ann.client.onCustomEvent("NewOffer", (data) => got.push(["NewOffer", data]));
      await stage.realtime.sendTo(user("ann"), 1, { event: "NewOffer" });
      await stage.realtime.sendTo(user("ann"), 2);
      await stage.realtime.sendTo(user("ann"), 3, { event: "Other" });
      await stage.caughtUp(ann);
      off();
      await stage.realtime.sendTo(user("ann"), 4);
      await stage.caughtUp(ann);
      expect(got).toEqual([
        ["NewOffer", 1],
        ["default", 2],
      ]);
      expect(ann.logger.lines).toEqual([
        'warn: socket-ingress: nobody listens to "Other" 3',
        "warn: socket-ingress: nobody listens to receive 4",
      ]);
    });

    it("reach every tab of a user and of a session, and nobody else", async () => {
      await using stage = await realtimeStage(transport);
      const all = [];
      for (const who of [
        { user: "ann", session: "S" },
        { user: "ann", session: "S" },
        { user: "ann", session: "T" },
        { user: "bob", session: "U" },
      ]) {
        all.push(await stage.join(who));
      }
      const got = all.map(({ client }) => {
        const mine: unknown[] = [];
        client.receive((data) => mine.push(data));
        return mine;
      });
      await stage.realtime.sendTo(user("ann"), "user");
      await stage.realtime.sendTo(session("S"), "session");
      await stage.caughtUp(...all);
      expect(got).toEqual([["user", "session"], ["user", "session"], ["user"], []]);
    });
  });

  describe("lifecycle", () => {
    it("a connection that is refused rejects the calls that wait for it, with the code", async () => {
      await using stage = await realtimeStage(transport);
      stage.ingress.on("connect", () => {
        throw new EventError("UNAUTHENTICATED", "please log in", { details: { at: "/login" } });
      });
      const { socket, client } = stage.stranger();
      const call = rejection(client.call("get_items"));
      socket.connect();
      expect(await call).toMatchObject({
        code: "UNAUTHENTICATED",
        message: "please log in",
        details: { at: "/login" },
      });
    });

    it("onReady runs at once after the connection, onReconnect on reconnects only", async () => {
      await using stage = await realtimeStage(transport);
      const ann = await stage.join({ user: "ann" });
      const [ready, again] = [vi.fn<() => void>(), vi.fn<() => void>()];
      ann.client.onReady(ready);
      ann.client.onReconnect(again);
      expect([ready.mock.calls.length, again.mock.calls.length]).toEqual([1, 0]);
      await ann.reconnect();
      await stage.caughtUp(ann);
      expect([ready.mock.calls.length, again.mock.calls.length]).toEqual([1, 1]);
    });
  });
});
