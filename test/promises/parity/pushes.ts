import { expect, vi } from "vitest";
import { EventError, ServiceManager, SocketIngress } from "socket-ingress";
import { everyone, Realtime, topic, user } from "socket-ingress/realtime";
import type { Server } from "socket.io";
import { recordingLog } from "../../fixtures/recording-log.js";
import type { Environment, Register } from "./environment.js";

/** A client as pushes see it, however it is connected. */
export interface Listener {
  /** The data of each event of this name so far. */
  got(event: string): readonly unknown[];
  /** Settles once it has no connection any more. */
  readonly gone: Promise<unknown>;
  leave(): void;
}

/** Whom a {@link Listener} says it is, and what it comes for. */
export interface Coming {
  readonly as?: string;
  readonly topics?: readonly string[];
}

/** A server with clients that listen. */
export interface Listened extends AsyncDisposable {
  readonly io: Server;
  /** Rejects with an `EventError` of the refusal's code, be it of `connect` or of a topic. */
  listen(coming?: Coming): Promise<Listener>;
}

/** A way to listen. */
export interface Listening {
  readonly name: string;
  start(): Promise<Listened>;
}

/** Listens over a transport of Socket.IO's own. */
export function bySocketIo({ name, start }: Environment): Listening {
  return {
    name,
    async start() {
      const running = await start();
      return {
        io: running.io,
        async listen({ as, topics = [] } = {}) {
          const peer = await running.connect({ auth: as === undefined ? {} : { user: as } }).catch((error: unknown) => {
            throw new EventError((error as { data: { code: string } }).data.code, "refused");
          });
          for (const name of topics) {
            const answer = (await peer.call("ingress:join", name)) as { error?: { code: string } };
            if (answer.error) throw new EventError(answer.error.code, "refused");
          }
          // Whose it is is known by then.
          await peer.call("ingress:leave", "none");
          return {
            got: (event) => peer.received.filter((one) => one.event === event).map(({ args }) => args[0]),
            gone: peer.gone,
            leave: () => peer.leave(),
          };
        },
        [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
      };
    },
  };
}

/** What a server pushes, and who hears it: alike for every client, whatever it speaks. */
export function pushBehaviour({ start }: Listening, test: Register): void {
  const open = async () => {
    const listened = await start();
    const log = recordingLog();
    const ingress = new SocketIngress({ logger: log });
    const manager = new ServiceManager(listened.io, { logger: log, ingress });
    const realtime = new Realtime({
      user: ({ handshake }) => handshake.auth["user"] as string | undefined,
      presence: { graceMs: 0 },
    });
    const banned = new Set<string>();
    realtime.topics.define("news", { join: (context) => !banned.has(context.user ?? "") });
    realtime.topics.define("log", { join: (context) => !banned.has(context.user ?? ""), history: { keep: 10 } });
    realtime.topics.define("hall", { public: true, presence: { batchMs: 1 } });
    realtime.topics.define("paid", {
      join: () => {
        throw new EventError("PAYMENT_DUE", "pay first");
      },
    });
    ingress.subscribe("connect", ({ socket }) => {
      if (socket.handshake.auth["user"] === "nobody") throw new EventError("UNAUTHENTICATED", "who are you?");
    });
    manager.registerHandler(realtime);
    await manager.boot();
    const left = async (): Promise<void> => {
      await manager.shutdown({ graceMs: 500 });
      await listened[Symbol.asyncDispose]();
    };
    return { ...listened, manager, realtime, ingress, banned, [Symbol.asyncDispose]: left };
  };
  const heard = (listener: Listener, event: string, ...data: unknown[]): Promise<void> =>
    vi.waitFor(() => expect(listener.got(event)).toEqual(data));
  const codeOf = (refused: Promise<unknown>): Promise<string | undefined> =>
    refused.then(
      () => undefined,
      (error: EventError) => error.code,
    );

  test("a push reaches its audience, in order, and nobody else; count tells how many", async () => {
    await using running = await open();
    const { realtime } = running;
    const ada = await running.listen({ as: "ada", topics: ["news", "log"] });
    const grace = await running.listen({ as: "grace", topics: ["log"] });
    await realtime.emitSocket("said", "to ada", user("ada"));
    await realtime.emitSocket("said", "to news", topic("news"));
    await realtime.emitSocket("said", "to log", topic("log"));
    await realtime.emitSocket("said", "once", { topics: ["news", "log"] });
    await realtime.emitSocket("said", "but ada", { audience: everyone(), except: user("ada") });
    await realtime.emitSocket("said", { to: "all" });
    // A push by the log goes a way of its own.
    await heard(ada, "said", "to ada", "to news", "to log", "once", { to: "all" });
    await heard(grace, "said", "to log", "once", "but ada", { to: "all" });
    expect(await realtime.count(user("ada"))).toMatchObject({ sockets: 1, complete: true });
    expect(await realtime.count(topic("log"))).toMatchObject({ sockets: 2 });
  });

  test("connect and the policies of topics refuse with their codes, and an undeclared topic is FORBIDDEN", async () => {
    await using running = await open();
    running.banned.add("eve");
    expect(await codeOf(running.listen({ as: "nobody" }))).toBe("UNAUTHENTICATED");
    expect(await codeOf(running.listen({ as: "eve", topics: ["news"] }))).toBe("FORBIDDEN");
    expect(await codeOf(running.listen({ as: "ada", topics: ["unknown"] }))).toBe("FORBIDDEN");
    expect(await codeOf(running.listen({ as: "ada", topics: ["paid"] }))).toBe("PAYMENT_DUE");
    expect(await codeOf(running.listen({ as: "ada", topics: ["news"] }))).toBeUndefined();
  });

  test("who is in a topic is present in it, until they leave", async () => {
    await using running = await open();
    const { realtime } = running;
    const present = (): string[] =>
      realtime
        .list("hall")
        .map((member) => member.user)
        .sort();
    const ada = await running.listen({ as: "ada", topics: ["hall"] });
    await running.listen({ as: "grace", topics: ["hall"] });
    await vi.waitFor(() => expect(present()).toEqual(["ada", "grace"]));
    ada.leave();
    await vi.waitFor(() => expect(present()).toEqual(["grace"]));
  });

  test("what is revoked, or was another's before a logout, is heard no more, and not to be had again", async () => {
    await using running = await open();
    const { realtime, banned } = running;
    const ada = await running.listen({ as: "ada", topics: ["news", "log"] });
    const grace = await running.listen({ as: "grace", topics: ["news", "log"] });
    banned.add("ada");
    expect(await realtime.revoke("ada")).toMatchObject({ complete: true });
    await realtime.emitSocket("said", 1, { topics: ["news", "log"] });
    await heard(grace, "said", 1);
    expect(ada.got("said")).toEqual([]);
    expect(await codeOf(running.listen({ as: "ada", topics: ["log"] }))).toBe("FORBIDDEN");
    const sockets = [...running.io.sockets.sockets.values()];
    const socket = sockets.find((one) => realtime.identify(one).user === "grace");
    banned.add("");
    await realtime.setUser(socket!, undefined);
    await realtime.emitSocket("said", 2, { topics: ["news", "log"] });
    expect((await realtime.count({ topics: ["news", "log"] })).sockets).toBe(0);
    expect(grace.got("said")).toEqual([1]);
  });

  test("who is disconnected is gone, whatever it was in", async () => {
    await using running = await open();
    const ada = await running.listen({ as: "ada", topics: ["news"] });
    const grace = await running.listen({ as: "grace", topics: ["news"] });
    expect(await running.realtime.disconnect(user("ada"))).toMatchObject({ sockets: 1 });
    await ada.gone;
    await running.realtime.emitSocket("said", 1, topic("news"));
    await heard(grace, "said", 1);
    expect(ada.got("said")).toEqual([]);
  });

  test("while the server drains nobody new comes in, and then all are gone", async () => {
    const running = await open();
    const ada = await running.listen({ as: "ada", topics: ["news"] });
    const drained = running.ingress.drain({ graceMs: 100 });
    expect(await codeOf(running.listen({ as: "grace" }))).toBe("SHUTTING_DOWN");
    await drained;
    const report = await running.manager.shutdown({ graceMs: 5_000 });
    await ada.gone;
    expect(report.failures).toEqual([]);
    await running[Symbol.asyncDispose]();
  });
}
