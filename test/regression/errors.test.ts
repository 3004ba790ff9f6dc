import { describe, expect, it, vi } from "vitest";
import { type EventContext, type EventMap, Handler, ServiceManager } from "socket-ingress";
import { deferred } from "../fixtures/deferred.js";
import { codeOf, serveIngress } from "../fixtures/ingress.js";
import { recordingLog } from "../fixtures/recording-log.js";
import { connected, serve } from "../fixtures/serve.js";

describe("log lines of a context", () => {
  it("carry the handler whose method writes them, whoever read the logger first", async () => {
    const log = recordingLog();
    class Logging extends Handler {
      readonly name: string;
      readonly events = { x: "x" } satisfies EventMap<Logging>;
      constructor(name: string) {
        super();
        this.name = name;
      }
      async x({ log: logger }: EventContext): Promise<void> {
        logger.info({ from: this.name }, "at once");
        await Promise.resolve();
        logger.info({ from: this.name }, "later");
      }
    }
    await using app = await serve();
    await using manager = new ServiceManager(app.io, { logger: log });
    manager.registerHandler(new Logging("one")).registerHandler(new Logging("two"));
    await manager.boot();
    await (await app.connect()).emitWithAck("x");
    const lines = log.lines.filter(({ fields }) => fields["from"] !== undefined);
    expect(lines.map(({ fields, message }) => [fields["from"], fields["handler"], fields["event"], message])).toEqual([
      ["one", "one", "x", "at once"],
      ["one", "one", "x", "later"],
      ["two", "two", "x", "at once"],
      ["two", "two", "x", "later"],
    ]);
  });
});

describe("error subscribers", () => {
  it("each hear of an error, though one before them never settles", async () => {
    await using app = await serveIngress();
    const told: string[] = [];
    app.ingress
      .onErrorDefault(() => {
        told.push("first");
        return new Promise(() => undefined);
      })
      .onErrorDefault((error) => {
        told.push(`second: ${(error as Error).message}`);
      });
    app.ingress.subscribe("x", () => {
      throw new Error("it can't");
    });
    const client = await app.connect();
    expect(codeOf(await client.emitWithAck("x"))).toBe("INTERNAL");
    expect(told).toEqual(["first", "second: it can't"]);
  });
});

describe("an answer by hand", () => {
  it("that is a promise is a mistake, told once, and its rejection does not end the process", async () => {
    await using app = await serveIngress();
    const told: unknown[] = [];
    const unhandled: unknown[] = [];
    const onUnhandled = (reason: unknown): void => void unhandled.push(reason);
    process.on("unhandledRejection", onUnhandled);
    try {
      app.ingress.onErrorDefault((error) => told.push(error));
      const saved = deferred<never>();
      app.ingress.subscribe("later", (context) => void context.reply(saved.promise));
      app.ingress.subscribe("rejected", (context) => void context.reply(Promise.reject(new Error("lost"))));
      const client = await app.connect();
      const replies = [await client.emitWithAck("later"), await client.emitWithAck("rejected")];
      expect(replies.map(codeOf)).toEqual(["INTERNAL", "INTERNAL"]);
      saved.reject(new Error("the disk is full"));
      // Unhandled rejections are told at the end of the turn, and this is several turns later.
      await client.emitWithAck("a round trip");
      expect(told.map(String)).toEqual([
        expect.stringContaining("got a promise"),
        expect.stringContaining("got a promise"),
      ]);
      expect(unhandled).toEqual([]);
    } finally {
      process.off("unhandledRejection", onUnhandled);
    }
  });
});

describe("a client", () => {
  it("that asks for many namespaces at once makes Node print no warning about leaking listeners", async () => {
    const gate = deferred();
    await using app = await serveIngress();
    const warnings: string[] = [];
    const onWarning = ({ name }: Error): void => void warnings.push(name);
    process.on("warning", onWarning);
    try {
      let asked = 0;
      const names = Array.from({ length: 14 }, (_, n) => `/n-${n}`);
      app.ingress.subscribe(
        "connect",
        () => {
          asked++;
          return gate.promise.then(() => true);
        },
        { namespace: /^\/n-\d+$/ },
      );
      const first = app.client({ namespace: names[0]! });
      const sockets = [first, ...names.slice(1).map((name) => first.io.socket(name))];
      const admitted = Promise.all(sockets.map((socket) => connected(socket)));
      await vi.waitFor(() => expect(asked).toBe(names.length));
      gate.resolve();
      await admitted;
      expect(warnings).toEqual([]);
      for (const socket of sockets) socket.disconnect();
    } finally {
      process.off("warning", onWarning);
    }
  });
});
