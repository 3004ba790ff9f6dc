import { expect, it } from "vitest";
import type { Server } from "socket.io";
import { ServiceManager } from "socket-ingress";
import { Auth } from "socket-ingress/auth";
import { Realtime } from "socket-ingress/realtime";
import { memoryCluster } from "socket-ingress/testing";
import { secret, tokenOf } from "../features/auth/gate.js";
import { serve } from "../fixtures/serve.js";

const namespaces = ["/", "/admin"];

class OwnRealtime extends Realtime {}

/** Gives a server two namespaces with an auth and a realtime door each. */
async function guard(io: Server, optional: boolean) {
  const manager = new ServiceManager(io);
  const doors = namespaces.map((namespace, i) => {
    const auth = new Auth({ secret, namespace, optional });
    const realtime = new (i === 0 ? Realtime : OwnRealtime)({ namespace, user: auth.user, session: auth.session });
    realtime.topics.define("mine", { join: ({ user }) => user !== undefined });
    manager.registerHandler(auth).registerHandler(realtime);
    return { namespace, auth, realtime };
  });
  await manager.boot();
  return { manager, doors };
}

it("who signs in on a connection is known to the realtime door of its own namespace, whichever was registered first", async () => {
  await using served = await serve();
  const { manager, doors } = await guard(served.io, true);
  for (const { namespace, realtime } of doors) {
    const client = await served.connect({ namespace });
    expect(await client.emitWithAck("ingress:join", "mine")).toMatchObject({ error: { code: "FORBIDDEN" } });
    await client.emitWithAck("ingress:token", await tokenOf("ann"));
    expect(realtime.identify(served.serverSide(client, namespace))).toMatchObject({ user: "ann" });
    expect(await client.emitWithAck("ingress:join", "mine")).toEqual({});
  }
  await manager.shutdown({ graceMs: 100 });
});

it("a revocation reaches the other nodes in each of several namespaces", async () => {
  const cluster = memoryCluster();
  const nodes = [];
  for (let i = 0; i < 2; i++) {
    const served = await serve(undefined, { adapter: cluster.adapter });
    nodes.push({ served, ...(await guard(served.io, false)) });
  }
  const [here, there] = nodes as [(typeof nodes)[0], (typeof nodes)[0]];
  for (const [i, namespace] of namespaces.entries()) {
    const client = await there.served.connect({ namespace, auth: { token: await tokenOf("ann") } });
    const over = new Promise((resolve) => client.once("disconnect", resolve));
    expect(await here.doors[i]!.auth.revoke({ user: "ann" })).toEqual({ sockets: 1, complete: true });
    await over;
  }
  for (const { manager, served } of nodes) {
    await manager.shutdown({ graceMs: 100 });
    await served.close();
  }
});
