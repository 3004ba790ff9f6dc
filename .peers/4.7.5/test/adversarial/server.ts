/** The server of `socket-ingress` that the scenarios attack; run as a process of its own. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { pino, type Logger } from "pino";
import { Server, type Socket } from "socket.io";
import * as msgpack from "socket.io-msgpack-parser";
import { z } from "zod";
import {
  Controller,
  EventError,
  Handler,
  ServiceManager,
  SocketIngress,
  type ControllerHandler,
  type EventContext,
  type EventMap,
} from "socket-ingress";

import {
  connectFaults,
  connectionFaults,
  disconnectFaults,
  errorHookFaults,
  faults,
  interceptorFaults,
  schemaFaults,
  secret,
  slowConnect,
  type Tools,
} from "./faults.js";
import { delays, report, slowly, timeLimitMs } from "./host.js";

type App = Server;
type Context = EventContext<App>;

const tools = (context: Context, payload?: unknown): Tools => ({
  ...delays,
  payload,
  reply: (value) => context.reply(value),
  refuse: (code, message, details) => {
    throw new EventError(code, message, { details });
  },
  disconnect: () => context.socket.disconnect(true),
});

/** A Standard Schema around any function, however it behaves. */
const schema = (validate: (value: unknown) => unknown) => ({
  "~standard": { version: 1 as const, vendor: "hostile", validate: validate as never },
});

const wait = async (_context: Context, payload?: { ms?: number }): Promise<string> => {
  await slowly(payload?.ms ?? 0);
  return "slow";
};

/** What every server under attack has to offer. */
class HonestHandler extends Handler<App> {
  readonly name = "honest";
  readonly events: EventMap<HonestHandler, App> = {
    honest: "answer",
    echo: (_context: Context, payload: unknown) => payload,
    slow: wait,
    typed: {
      run: (_context: Context, payload: { text: string }) => ({ said: payload.text }),
      input: z.strictObject({ text: z.string().max(1_000), n: z.number() }),
    },
  };

  answer(_context: Context, n: number): { ok: number } {
    return { ok: n + 1 };
  }
}

/** The misbehaving handlers, each under its own event. */
class FaultyHandler extends Handler<App> {
  readonly name = "faulty";
  readonly events: EventMap<FaultyHandler, App> = Object.fromEntries(
    faults.map((fault) => [
      `fault:${fault.id}`,
      fault.async
        ? async (context: Context, payload: unknown) => fault.run(tools(context, payload))
        : (context: Context, payload: unknown) => fault.run(tools(context, payload)),
    ]),
  );
}

/** Interceptors, schemas, error hooks and limits. */
class FaultyController extends Controller<App> {
  readonly name = "faulty-controller";

  override buildEvents(handler: ControllerHandler<App>): void {
    for (const { id, inside, run } of interceptorFaults) {
      handler.on(`wrap:${id}`, () => (inside ? inside() : "inside"), {
        use: [(context, next) => run(next, tools(context))],
      });
    }
    for (const { id, validate } of schemaFaults) {
      handler.on(`check:${id}`, (_context: Context, payload: unknown) => payload, {
        input: schema((value) => validate(value, { ...delays })),
      });
    }
    handler.on("output:wrong", () => secret, { output: z.number() });
    handler.on("output:throws", () => 1, {
      output: schema(() => {
        throw new Error(secret);
      }),
    });
    for (const { id } of errorHookFaults) {
      handler.on(`hook:${id}`, () => {
        throw new Error(secret);
      });
    }
    handler.on("limit:one", wait, { concurrency: 1, queueMax: 2, overflow: "reject" });
    handler.on("limit:newest", wait, { concurrency: 1, queueMax: 2, overflow: "dropOldest" });
    handler.on("limit:counted", wait, { concurrency: 1 });
    handler.on("limit:faulty", this.#faulty, { concurrency: 1 });
    const keys = new Map<string, () => unknown>([
      [
        "throws",
        () => {
          throw new Error(secret);
        },
      ],
      ["throws-revoked", () => faults.find(({ id }) => id === "throw-revoked")?.run({ ...delays })],
      ["rejects", () => Promise.reject(new Error(secret))],
      ["symbol", () => Symbol(secret)],
      ["nan", () => Number.NaN],
      ["null", () => null],
      ["proto", () => "__proto__"],
      ["hostile", () => faults.find(({ id }) => id === "return-hostile")?.run({ ...delays })],
    ]);
    for (const [how, key] of keys) {
      handler.on(`limit:key-${how}`, (_context: Context, payload: unknown) => payload, {
        concurrency: 1,
        key: key as () => string,
      });
    }
  }

  readonly #faulty = (_context: Context, { how }: { how: string }): unknown => {
    if (how === "not") return "fine";
    if (how === "never") return new Promise(() => undefined);
    return faults
      .find(({ id }) => id === (how === "throw" || how === "reject" ? `${how}-error` : how))
      ?.run({ ...delays });
  };
}

/** Set up and torn down while its events come in. */
class TornHandler extends Handler<App> {
  readonly name = "torn";
  readonly events: EventMap<TornHandler, App> = {
    "torn:slow": "slow",
    "torn:one": { run: "slow", concurrency: 1 },
    "torn:never": "never",
  };
  running = 0;
  runs = 0;
  throwing = false;

  async slow(context: Context, payload: { ms: number }): Promise<string> {
    this.running++;
    this.runs++;
    try {
      return await wait(context, payload);
    } finally {
      this.running--;
    }
  }

  never(): Promise<string> {
    this.running++;
    return new Promise(() => undefined);
  }

  override onSetup(): void {
    if (!this.throwing) return;
    this.addCleanup(() => {
      throw new Error(secret);
    });
    this.addCleanup(() => Promise.reject(new Error(secret)));
  }

  override onTeardown(): void {
    if (this.throwing) throw new Error(secret);
  }
}

let isLoggerBroken = false;

/** A real pino, so that what it can't serialise is found out, writing to nowhere. */
function nowhere(): Logger {
  const logger = pino({ level: "trace" }, { write: () => undefined });
  return new Proxy(logger, {
    get(target, key, receiver) {
      if (isLoggerBroken && ["error", "warn", "info", "debug", "child"].includes(String(key))) {
        return () => {
          throw new Error(secret);
        };
      }
      return Reflect.get(target, key, receiver) as unknown;
    },
  });
}

const http = createServer();
// The MessagePack parser lets names and values through that JSON has no words for.
const io: App = new Server(http, {
  ...(process.env["PARSER"] === "msgpack" && { parser: msgpack }),
  maxHttpBufferSize: Number(process.env["MAX_BYTES"] ?? 1_000_000),
});
const manager = new ServiceManager<App>(io, { logger: nowhere(), timeoutMs: timeLimitMs });
const controller = new FaultyController();
const torn = new TornHandler();

manager
  .registerHandler(new HonestHandler())
  .registerHandler(new FaultyHandler())
  .registerController(controller)
  .registerHandler(torn);

for (const { id, run } of connectFaults) {
  const namespace = `/connect-${id}`;
  io.of(namespace);
  manager.ingress.subscribe("connect", (context) => run(tools(context)) as boolean, { namespace });
}
io.of("/connect-slow");
manager.ingress.subscribe("connect", async () => slowConnect({ slowly }), { namespace: "/connect-slow" });
for (const { id, run } of connectionFaults) {
  const namespace = `/connection-${id}`;
  manager.ingress.subscribe("connection", (context) => run(tools(context)), { namespace });
  manager.ingress.subscribe("honest", (_context, n: number) => ({ ok: n + 1 }), { namespace });
}
for (const { id, run } of disconnectFaults) {
  const namespace = `/disconnect-${id}`;
  manager.ingress.subscribe("disconnecting", (context) => run(tools(context)), { namespace });
  manager.ingress.subscribe("disconnect", (context) => run(tools(context)), { namespace });
}
{
  const namespace = "/connection-slow";
  const readiness = new WeakMap<Socket, { ready: boolean; nth: number }>();
  const of = (socket: Socket): { ready: boolean; nth: number } => {
    const known = readiness.get(socket) ?? { ready: false, nth: 0 };
    readiness.set(socket, known);
    return known;
  };
  manager.ingress.subscribe(
    "connection",
    async ({ socket }) => {
      await slowly(60);
      of(socket).ready = true;
    },
    { namespace },
  );
  manager.ingress.subscribe(
    "ordered",
    ({ socket }, n: number) => ({ ready: of(socket).ready, n, nth: of(socket).nth++ }),
    { namespace },
  );
  manager.ingress.subscribe("honest", (_context, n: number) => ({ ok: n + 1 }), { namespace });
}
io.of(/^\/dynamic-.*$/);
manager.ingress.subscribe("honest", (_context, n: number) => ({ ok: n + 1 }), { namespace: /^\/dynamic-.*$/ });
for (const namespace of ["/extra-1", "/extra-2", "/extra-3"]) manager.ingress.subscribe("slow", wait, { namespace });
for (const { id, run } of errorHookFaults) {
  manager.ingress.subscribeErrorDefault((_error, info) => {
    if (info.event === `hook:${id}`) return run({ ...delays });
    return undefined;
  });
}

/** What was told of sockets' lives; a client must not be able to add to it. */
const lives = { connect: 0, connection: 0, disconnecting: 0, disconnect: 0 };
manager.ingress.subscribe("connect", () => {
  lives.connect++;
  return true;
});
manager.ingress.subscribe("connection", () => void lives.connection++);
manager.ingress.subscribe("disconnecting", () => void lives.disconnecting++);
manager.ingress.subscribe("disconnect", () => void lives.disconnect++);

// Listeners of the application's own, which the ingress must leave as they are, and a second ingress for a while.
io.on("connection", (socket: Socket) => {
  socket.on(
    "plain",
    (payload: { ms: number }, reply: (value: string) => void) => void slowly(payload.ms).then(() => reply("slow")),
  );
  socket.on("ask-me", () => socket.emit("question", () => undefined));
  socket.use(([event], next) => {
    if (event === "gated") void slowly(10).then(() => next());
    else next();
  });
  socket.on("gated", (_payload: unknown, reply: (value: string) => void) => reply("slow"));
});
const second = new SocketIngress<App>({ logger: nowhere(), timeoutMs: timeLimitMs });
second.subscribe("second:slow", wait);
second.subscribe("shared", wait);
manager.ingress.subscribe("shared", wait);

await manager.boot();
await torn.teardown();
await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));

report(
  {
    port: (http.address() as AddressInfo).port,
    dialect: "plain",
    abilities: [
      "reply",
      "refuse",
      "interceptor",
      "connect",
      "connection",
      "disconnect",
      "schema",
      // What a subscriber answers is checked outside production only.
      ...(process.env["NODE_ENV"] === "production" ? [] : (["output"] as const)),
      "typed",
      "error-hook",
      "shutdown",
      "teardown",
      "limits",
      "logger",
      "beside",
    ],
  },
  {
    shutdown: (argument) => manager.shutdown({ graceMs: (argument as { graceMs: number }).graceMs }),
    logger: (how) => {
      isLoggerBroken = how === "throws";
    },
    lives: () => lives,
    "second/attach": () => void second.attach(io),
    "second/detach": () => second.detach(),
    "torn/setup": async (argument) => {
      torn.throwing = (argument as { throwing?: boolean } | undefined)?.throwing ?? false;
      await torn.setup();
    },
    "torn/teardown": async () => {
      // That it throws is promised to be told; that it tears down all the same is what is asked here.
      await Promise.resolve(torn.teardown()).catch(() => undefined);
      return torn.running;
    },
    "torn/running": async (wanted) => {
      const giveUp = performance.now() + 2_000;
      while (torn.running < Number(wanted) && performance.now() < giveUp)
        await new Promise((resolve) => setImmediate(resolve));
      return torn.running;
    },
    "torn/runs": () => torn.runs,
    "torn/reset": () => {
      torn.running = 0;
    },
  },
);
