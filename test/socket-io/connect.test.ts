import { createHook } from "node:async_hooks";
import { once } from "node:events";
import { describe, expect, it, vi } from "vitest";
import { WebSocket } from "ws";
import { EventError, type EventContext, Handler, ServiceManager, SocketIngress } from "socket-ingress";
import { deferred } from "../fixtures/deferred.js";
import { codeOf, serveIngress } from "../fixtures/ingress.js";
import { recordingLog } from "../fixtures/recording-log.js";
import { serve, type Served } from "../fixtures/serve.js";

/** Resolves with what an emitter is told next. */
function next(emitter: object, event: string): Promise<unknown[]> {
  return new Promise((resolve) => {
    (emitter as NodeJS.EventEmitter).once(event, (...args: unknown[]) => resolve(args));
  });
}

describe("being asked at connect", () => {
  it("is answered once: a yes after the deadline lets nobody in", async () => {
    await using app = await serveIngress({ admitTimeoutMs: 20 });
    const gate = deferred<boolean>();
    const told = vi.fn();
    app.ingress.subscribe("connect", () => gate.promise);
    app.ingress.subscribe("connection", told);
    const peer = new WebSocket(`${app.url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`);
    const frames: string[] = [];
    const answered = new Promise<void>((resolve) => {
      peer.on("message", (data: Buffer) => {
        frames.push(data.toString());
        if (frames.length === 2) resolve();
      });
    });
    await once(peer, "open");
    peer.send("40"); // its connection stays open when it is refused
    await answered;
    expect(frames[1]).toMatch(/^44.*"TIMEOUT"/);
    gate.resolve(true);
    const honest = await app.connect();
    expect(told).toHaveBeenCalledOnce();
    expect([...app.io.of("/").sockets.keys()]).toEqual([honest.id]);
    expect(frames.length).toBe(2);
    peer.terminate();
  });

  it("may take as long as it likes with a deadline of Infinity, and needs no timer for it", async () => {
    const timers = async (limitMs: number): Promise<number> => {
      let count = 0;
      const hook = createHook({ init: (_id, type) => void (type === "Timeout" && count++) });
      const ingress = new SocketIngress({ logger: recordingLog(), admitTimeoutMs: limitMs, timeoutMs: limitMs });
      await using app = await serve((io) => {
        io.use((_socket, go) => {
          hook.enable();
          go();
        });
        ingress.attach(io);
      });
      const gate = deferred<boolean>();
      ingress.subscribe("connect", () => {
        // By then everything is set up that may end the asking.
        queueMicrotask(() => {
          hook.disable();
          gate.resolve(true);
        });
        return gate.promise;
      });
      expect((await app.connect()).connected).toBe(true);
      return count;
    };
    expect([await timers(Infinity), await timers(30_000)]).toEqual([0, 2]);
  });

  it("leaves no timer behind once it is answered, whatever the answer", async () => {
    const set = vi.spyOn(globalThis, "setTimeout");
    const clear = vi.spyOn(globalThis, "clearTimeout");
    await using app = await serveIngress({ admitTimeoutMs: 12_345, timeoutMs: 12_345 });
    app.ingress.subscribe("connect", async ({ socket }) => socket.handshake.auth["ok"] === true);
    await app.connect({ auth: { ok: true } });
    await expect(app.connect()).rejects.toMatchObject({ data: { code: "FORBIDDEN" } });
    const ours = set.mock.results
      .filter((_, i) => set.mock.calls[i]?.[1] === 12_345)
      .map(({ value }) => value as unknown);
    expect(ours.length).toBe(2); // one for each admission: subscribers share a timer, which has tests of its own
    expect(ours.filter((timer) => !clear.mock.calls.some(([cleared]) => cleared === timer))).toEqual([]);
  });

  it("in several namespaces at once, each is asked for itself", async () => {
    await using app = await serveIngress();
    const asked: string[] = [];
    for (const namespace of ["/", "/a"])
      app.ingress.subscribe("connect", async (context) => void asked.push(context.namespace), { namespace });
    const client = app.client();
    const sibling = client.io.socket("/a");
    const both = Promise.all([next(client, "connect"), next(sibling, "connect")]);
    client.connect();
    sibling.connect();
    await both;
    expect(asked.sort()).toEqual(["/", "/a"]);
  });

  it("after a recovery, and its connection subscribers, come before any event of it, both asynchronous", async () => {
    await using app = await serveIngress({ recovery: "askAgain" }, { connectionStateRecovery: {} });
    const steps: unknown[] = [];
    app.ingress.subscribe("connect", async ({ socket }) => {
      await Promise.resolve();
      steps.push(["asked", socket.recovered]);
    });
    const gates = [deferred(), deferred()];
    app.ingress.subscribe("connection", async ({ socket }) => {
      await gates[socket.recovered ? 1 : 0]?.promise;
      steps.push(["told", socket.recovered]);
    });
    app.ingress.subscribe("x", (_context, n: number) => steps.push(n));
    const client = await app.connect({ reconnection: true, reconnectionDelay: 1, reconnectionDelayMax: 2 });
    gates[0]?.resolve();
    app.io.emit("offset");
    await next(client, "offset");
    await client.emitWithAck("x", 1);
    const again = next(client, "connect");
    client.io.engine.close();
    await again;
    const reply = client.emitWithAck("x", 2);
    await client.emitWithAck("a round trip");
    expect(steps).toEqual([["asked", false], ["told", false], 1, ["asked", true]]);
    gates[1]?.resolve();
    await reply;
    expect(steps.slice(4)).toEqual([["told", true], 2]);
    expect(client.recovered).toBe(true);
  });
});

describe("a shutdown while a connection is being let in", () => {
  it("cuts the events that wait for its connection subscribers, and serves none of them later", async () => {
    await using app = await serveIngress();
    const gate = deferred();
    const ran = vi.fn();
    app.ingress.subscribe("connection", () => gate.promise);
    app.ingress.subscribe("x", ran);
    const client = await app.connect();
    const reply = client.emitWithAck("x");
    await client.emitWithAck("a round trip");
    await app.ingress.drain({ graceMs: 1 });
    expect(codeOf(await reply)).toBe("SHUTTING_DOWN");
    gate.resolve();
    expect(codeOf(await client.emitWithAck("x"))).toBe("SHUTTING_DOWN");
    expect(ran).not.toHaveBeenCalled();
    // Nothing is left over that would slow or stop what comes after the next attach.
    await app.ingress.detach();
    app.ingress.attach(app.io);
    expect(await client.emitWithAck("x")).toBeUndefined();
    expect(ran).toHaveBeenCalledOnce();
  });
});

describe("signals of one socket", () => {
  it("abort together when it leaves, those of events that are over included", async () => {
    await using app = await serveIngress();
    const aborted: unknown[] = [];
    const gate = deferred();
    app.ingress.subscribe("x", ({ signal }, n: number) => {
      signal.addEventListener("abort", () => aborted.push(n));
      return n === 1 ? gate.promise : new Promise(() => undefined);
    });
    const client = await app.connect();
    const socket = app.serverSide(client);
    const first = client.emitWithAck("x", 1);
    for (const n of [2, 3]) client.emit("x", n);
    await client.emitWithAck("a round trip");
    gate.resolve();
    await first;
    expect(socket.listenerCount("disconnect")).toBe(1);
    const gone = next(socket, "disconnect");
    client.disconnect();
    await gone;
    expect(new Set(aborted)).toEqual(new Set([1, 2, 3]));
  });
});

describe("a frame with more arguments than a function takes", () => {
  async function rawPeer(
    app: Served,
    hello: string,
  ): Promise<{ send: (frame: string) => void; closed: Promise<void> }> {
    const peer = new WebSocket(`${app.url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`);
    const welcome = new Promise<void>((resolve) => {
      peer.on("message", (data: Buffer) => void (data.toString().startsWith(hello) && resolve()));
    });
    await once(peer, "open");
    peer.send(hello);
    await welcome;
    return { send: (frame) => peer.send(frame), closed: next(peer, "close").then(() => undefined) };
  }
  const many = ",0".repeat(150_000);

  it.each(['/dynamic-"', "/dynamic-]]", "/dynamic-[[", "/dynamic-{"])(
    "closes its connection in a namespace named %s, too",
    async (namespace) => {
      await using app = await serveIngress();
      app.ingress.subscribe("x", (_context, ...args: unknown[]) => args.length, { namespace: /^\/dynamic-/ });
      const peer = await rawPeer(app, `40${namespace},`);
      peer.send(`42${namespace},7["x"${many}]`);
      await peer.closed;
      const honest = await app.connect({ namespace: "/dynamic-1" });
      expect(await honest.emitWithAck("x", 1, 2)).toBe(2);
      expect(await honest.emitWithAck("x", "y".repeat(100_000), { a: [1, 2], b: '",[' })).toBe(2);
    },
  );

  it.each(["x".repeat(50_000), `/nowhere${"x".repeat(50_000)}`, `["x"`])(
    "is not what a long frame without a payload is, which Socket.IO itself refuses (%#)",
    async (rest) => {
      await using app = await serveIngress();
      const peer = await rawPeer(app, "40");
      peer.send(`42${rest}`);
      await peer.closed;
      expect((await app.connect()).connected).toBe(true);
    },
  );
});

describe("an event that is no event", () => {
  const rawFrames = async (app: Served, ...frames: string[]): Promise<string[]> => {
    const peer = new WebSocket(`${app.url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`);
    const answers: string[] = [];
    const last = new Promise<void>((resolve) => {
      peer.on("message", (data: Buffer) => {
        const frame = data.toString();
        if (frame.startsWith("40")) for (const odd of [...frames, '4299["honest"]']) peer.send(odd);
        if (frame.startsWith("43")) answers.push(frame);
        if (frame.startsWith("4399")) resolve();
      });
    });
    await once(peer, "open");
    peer.send("40");
    await last;
    peer.terminate();
    return answers;
  };

  it("but an id without a payload is answered UNKNOWN_EVENT, and the next one is served", async () => {
    await using app = await serveIngress();
    app.ingress.subscribe("honest", () => "served");
    const answers = await rawFrames(app, "427");
    expect(answers).toEqual([expect.stringMatching(/^437\[.*"UNKNOWN_EVENT"/), '4399["served"]']);
    expect(app.ingress.counters.unknownEvents).toBe(1);
  });

  it("but has a number for a name is answered like any unknown one", async () => {
    await using app = await serveIngress();
    app.ingress.subscribe("honest", () => "served");
    expect(await rawFrames(app, "427[5,1]")).toEqual([
      expect.stringMatching(/^437\[.*"UNKNOWN_EVENT"/),
      '4399["served"]',
    ]);
  });
});

describe("a handler", () => {
  it("without a manager logs to standard output, in lines that carry its name", async () => {
    class Alone extends Handler {
      readonly name = "alone";
      readonly events = { x: () => "x" };
    }
    const out = vi.spyOn(process.stdout, "write").mockReturnValue(true);
    new Alone().log.error("it failed");
    const written = out.mock.calls.map(([chunk]) => String(chunk)).join("");
    out.mockRestore();
    expect(written).toContain("it failed");
    expect(written).toContain("handler=alone");
  });

  it("belongs to one manager: a second one is refused it, and the first keeps it", async () => {
    class Only extends Handler {
      readonly name = "only";
      readonly events = { x: () => "x" };
    }
    await using app = await serve();
    const only = new Only();
    await using first = new ServiceManager(app.io, { logger: recordingLog() }).registerHandler(only);
    const second = new ServiceManager(undefined, { logger: recordingLog() });
    expect(() => second.registerHandler(only)).toThrow('"only" belongs to a manager already');
    await first.boot();
    expect(await (await app.connect()).emitWithAck("x")).toBe("x");
    expect(second.health().handlers).toEqual([]);
  });

  it("names functions without a name in describe and in errors as what they are", async () => {
    await using app = await serveIngress();
    const told = deferred<unknown>();
    class Anonymous extends Handler {
      readonly name = "anonymous";
      readonly events = {
        x: (() => () => {
          throw new EventError("CONFLICT", "x");
        })(),
      };
    }
    await new Anonymous().setup(app.io);
    app.ingress.subscribeErrorDefault((_error, { handler, method }) => told.resolve([handler, method]));
    await (await app.connect()).emitWithAck("x");
    expect(await told.promise).toEqual(["anonymous", "(anonymous)"]);
    expect(app.ingress.describe()).toMatchObject([{ handler: "anonymous", method: "(anonymous)" }]);
  });
});

describe("a dispatch by hand", () => {
  it("is told the namespace of its socket, or the main one when the socket does not say", async () => {
    await using app = await serveIngress();
    app.ingress.subscribe("where", ({ namespace }: EventContext) => namespace);
    app.ingress.subscribe("where", ({ namespace }: EventContext) => namespace, { namespace: "/a" });
    await app.connect({ namespace: "/a" });
    const [socket] = app.io.of("/a").sockets.values();
    expect(await app.ingress.dispatch("where", { socket: socket as never })).toBe("/a");
    expect(await app.ingress.dispatch("where", { socket: {} as never })).toBe("/");
    expect(await new SocketIngress({ logger: recordingLog() }).on("where", () => "loose").dispatch("where")).toBe(
      "loose",
    );
  });
});
