import { describe, expect, it } from "vitest";
import { Controller, type ControllerHandler, type EventMap, Handler } from "socket-ingress";
import type { Auth } from "socket-ingress/auth";
import { deferred } from "../../fixtures/deferred.js";
import { ended, lives, open, tokenOf } from "./gate.js";

const missing = (what: object): object => ({
  error: { code: "FORBIDDEN", message: "you may not do this", details: { missing: what } },
});

describe("what somebody must have", { timeout: 30_000 }, () => {
  it("11. `auth.require` as an interceptor, on a handler, a controller, an event; with a guard.", async () => {
    const gone: unknown[] = [];
    const make = (auth: Auth) => {
      class Rooms extends Handler {
        readonly name = "rooms";
        override readonly use = [auth.require("admin")];
        readonly events = {
          wipe: "wipe",
          connect: "wipe",
          connection: "wipe",
          disconnect: "bye",
        } satisfies EventMap<Rooms>;
        wipe() {
          return true;
        }
        bye() {
          gone.push("handler");
        }
      }
      class Board extends Controller {
        readonly name = "board";
        override readonly use = [auth.require({ permission: "board:write" })];
        override buildEvents(handler: ControllerHandler) {
          handler.on("draw", () => "drawn");
        }
      }
      class Shop extends Handler {
        readonly name = "shop";
        readonly events = {
          buy: { run: () => "bought", use: [auth.require("buyer", { anyRole: ["adult", "admin"] })] },
          sell: { run: auth.guard("seller"), guard: true },
        } satisfies EventMap<Shop>;
      }
      return [new Rooms(), new Board(), new Shop()] as const;
    };
    let sold = 0;
    let registerRooms = (): unknown => undefined;
    await using gate = await open({
      before: (manager, auth) => {
        const [rooms, board, shop] = make(auth);
        manager.registerHandler(shop).registerController(board);
        manager.ingress.subscribe("sell", () => ++sold);
        registerRooms = () => manager.registerHandler(rooms);
      },
    });
    const ask = async (claims: object, event: string): Promise<unknown> => {
      const client = await gate.enter(await tokenOf("ann", claims));
      const answer: unknown = await client.emitWithAck(event);
      client.disconnect();
      return answer;
    };
    expect(await ask({}, "draw")).toEqual(missing({ permission: "board:write" }));
    expect(await ask({ scope: "board:read board:write" }, "draw")).toBe("drawn");
    expect(await ask({ permissions: ["board:write"] }, "draw")).toBe("drawn");
    expect(await ask({ roles: ["adult"] }, "buy")).toEqual(missing({ role: "buyer" }));
    expect(await ask({ roles: ["buyer"] }, "buy")).toEqual(missing({ anyRole: ["adult", "admin"] }));
    expect(await ask({ roles: "buyer adult" }, "buy")).toBe("bought");
    expect(await ask({ roles: ["buyer"] }, "sell")).toEqual(missing({ role: "seller" }));
    expect(sold).toBe(0);
    expect(await ask({ roles: ["seller"] }, "sell")).toBe(1);
    // On a handler it is around `connect`, too, and who goes is told of all the same.
    registerRooms();
    await gate.manager.boot();
    expect(await gate.refused(await tokenOf("ann", { roles: ["user"] }))).toMatchObject({
      code: "FORBIDDEN",
      details: { missing: { role: "admin" } },
    });
    expect(await ask({ roles: ["admin"] }, "wipe")).toBe(true);
    await expect.poll(() => gone).toEqual(["handler"]);
  });

  it("11. Roles taken away count for the next event, where the application knows better", async () => {
    const roles = new Map([["ann", ["admin"]]]);
    await using gate = await open({ claims: async ({ sub }) => ({ roles: roles.get(sub) ?? [] }) });
    gate.ingress.subscribe("wipe", () => "wiped", { use: [gate.auth.require("admin")] });
    const client = await gate.enter(await tokenOf("ann", { roles: ["admin"] }));
    expect(await client.emitWithAck("wipe")).toBe("wiped");
    roles.set("ann", []);
    expect(await client.emitWithAck("wipe")).toEqual(missing({ role: "admin" }));
    roles.set("ann", ["admin"]);
    expect(await client.emitWithAck("wipe")).toBe("wiped");
  });

  it("11. Roles taken away count for the next event, where the application has nothing more to say of somebody", async () => {
    const admins = new Set(["ann"]);
    await using gate = await open({ claims: ({ sub }) => (admins.has(sub) ? { roles: ["admin"] } : undefined) });
    gate.ingress.subscribe("wipe", () => "wiped", { use: [gate.auth.require("admin")] });
    const client = await gate.enter(await tokenOf("ann"));
    expect(await client.emitWithAck("wipe")).toBe("wiped");
    admins.clear();
    expect(await client.emitWithAck("wipe")).toEqual(missing({ role: "admin" }));
  });

  it("11. Roles taken away count for the next event, by the next token", async () => {
    await using gate = await open();
    gate.ingress.subscribe("wipe", gate.auth.guard("admin"), { guard: true });
    gate.ingress.subscribe("wipe", () => "wiped");
    const client = await gate.enter(await tokenOf("ann", { roles: ["admin"] }));
    expect(await client.emitWithAck("wipe")).toBe("wiped");
    await client.emitWithAck("ingress:token", await tokenOf("ann", { roles: ["user"] }));
    expect(await client.emitWithAck("wipe")).toEqual(missing({ role: "admin" }));
  });

  it("is not there for somebody who is not active any more, and an application that can't say refuses", async () => {
    let active: boolean | undefined = true;
    await using gate = await open({
      claims: () => {
        if (active === undefined) throw new Error("the database is down");
        return active ? {} : false;
      },
    });
    gate.ingress.subscribe("pay", () => "paid", { use: [gate.auth.require()] });
    const client = await gate.enter(await tokenOf("ann"));
    expect(await client.emitWithAck("pay")).toBe("paid");
    active = undefined;
    expect(await client.emitWithAck("pay")).toMatchObject({ error: { code: "INTERNAL" } });
    active = false;
    expect(await client.emitWithAck("pay")).toMatchObject({ error: { code: "FORBIDDEN" } });
  });

  it("is asked of nobody who is not of this namespace: that is a mistake of the application", async () => {
    await using gate = await open({ namespace: "/inner" });
    gate.ingress.subscribe("pay", () => "paid", { use: [gate.auth.require()] });
    const client = await gate.enter();
    expect(await client.emitWithAck("pay")).toMatchObject({ error: { code: "INTERNAL" } });
  });

  it("is asked of a token that counts: one that expires while the event waits is no more", async () => {
    await using gate = await open({ claims: lives(3_000) });
    const [go, began, answered] = [deferred(), deferred(), deferred<unknown>()];
    const paid: unknown[] = [];
    gate.ingress.subscribe("pay", () => paid.push("paid"), {
      use: [
        async (_context, next) => {
          began.resolve();
          await go.promise;
          const answer = Promise.resolve(next());
          answered.resolve(answer.catch((error: unknown) => error));
          return answer;
        },
        gate.auth.require(),
      ],
    });
    const client = await gate.enter(await tokenOf("ann"));
    const over = ended(client);
    client.emit("pay", (answer: unknown) => paid.push(answer));
    await began.promise;
    expect(await over).toMatchObject({ reason: "expired" });
    go.resolve();
    expect(await answered.promise).toMatchObject({ code: "UNAUTHENTICATED" });
    expect(paid).toEqual([]);
  });
});
