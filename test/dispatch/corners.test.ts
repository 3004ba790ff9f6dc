import { describe, expect, it, vi } from "vitest";
import { EventError, Handler } from "socket-ingress";
import { deferred } from "../fixtures/deferred.js";
import { codeOf, serveIngress } from "../fixtures/ingress.js";

/** A schema that answers as a test says. */
const schema = (validate: (value: unknown) => unknown) => ({
  "~standard": { version: 1 as const, vendor: "test", validate: validate as never },
});

describe("those that are asked before an event", () => {
  it("may be taken back by one another, twice, and by their owner", async () => {
    await using app = await serveIngress();
    const asked: string[] = [];
    const cleanups = new Set<() => unknown>();
    const owner = {
      addCleanup: (fn: () => unknown) => {
        cleanups.add(fn);
        return () => void cleanups.delete(fn);
      },
    };
    app.ingress.subscribe("say", () => "heard");
    app.ingress.beforeEvent(() => {
      asked.push("first");
      off();
    });
    const off = app.ingress.beforeEvent(() => void asked.push("second"), { owner });
    const client = await app.connect();
    expect(await client.emitWithAck("say")).toBe("heard");
    expect([asked, cleanups.size]).toEqual([["first"], 0]);
    off();
    expect(await client.emitWithAck("say")).toBe("heard");
    expect(asked).toEqual(["first", "first"]);
  });

  it.each([
    ["let it pass", (answer: { resolve(): void }) => answer.resolve()],
    ["refuse it", (answer: { reject(reason: unknown): void }) => answer.reject(new EventError("FORBIDDEN", "no"))],
  ])("and %s after its time is over have said nothing", async (_how, settle) => {
    await using app = await serveIngress({ timeoutMs: 30 });
    const [answer, ran, errors] = [deferred(), vi.fn(), vi.fn()];
    let holds = true;
    app.ingress.subscribe("say", ran);
    app.ingress.subscribeErrorDefault(errors);
    app.ingress.beforeEvent(() => (holds ? answer.promise : undefined));
    const client = await app.connect();
    expect(codeOf(await client.emitWithAck("say"))).toBe("TIMEOUT");
    settle(answer);
    holds = false;
    await client.emitWithAck("say");
    expect([ran.mock.calls.length, errors.mock.calls.length]).toEqual([1, 0]);
  });

  it("may take as long as they like where there is no time limit", async () => {
    await using app = await serveIngress({ timeoutMs: Infinity });
    const answer = deferred();
    app.ingress.subscribe("say", () => "heard");
    app.ingress.beforeEvent(() => answer.promise);
    const client = await app.connect();
    const reply = client.emitWithAck("say");
    answer.resolve();
    expect(await reply).toBe("heard");
  });
});

describe("a schema", () => {
  it("of one argument may take time, and refuse", async () => {
    await using app = await serveIngress();
    const input = schema(async (value) => (value === 1 ? { value: "one" } : { issues: [{ message: "not one" }] }));
    app.ingress.subscribe("say", (_context, value) => value, { input });
    const client = await app.connect();
    expect(await client.emitWithAck("say", 1)).toBe("one");
    expect(codeOf(await client.emitWithAck("say", 2))).toBe("INVALID_INPUT");
  });

  it("that takes its subscriber back has it not run", async () => {
    await using app = await serveIngress();
    const ran = vi.fn();
    let takeBack = (): void => undefined;
    takeBack = app.ingress.subscribe("say", ran, { input: schema((value) => (takeBack(), { value })) });
    const client = await app.connect();
    expect(codeOf(await client.emitWithAck("say", 1))).toBe("UNKNOWN_EVENT");
    expect(ran).not.toHaveBeenCalled();
  });

  it("that takes longer than its event may, in a lane, has nothing run", async () => {
    await using app = await serveIngress();
    const [asked, valid, ran] = [deferred(), deferred<{ value: unknown }>(), vi.fn(() => "ran")];
    let holds = true;
    const input = schema((value) => {
      asked.resolve();
      return holds ? valid.promise : { value };
    });
    app.ingress.subscribe("say", ran, { input, concurrency: 1, timeoutMs: 30 });
    const client = await app.connect();
    expect(codeOf(await client.emitWithAck("say", 1))).toBe("TIMEOUT");
    await asked.promise;
    valid.resolve({ value: 1 });
    holds = false;
    expect(await client.emitWithAck("say", 2)).toBe("ran");
    expect(ran).toHaveBeenCalledTimes(1);
  });
});

describe("an interceptor", () => {
  it("that looks away from what is thrown inside does not hide it", async () => {
    await using app = await serveIngress();
    const use = [
      (_context: unknown, next: () => unknown): void => {
        next();
      },
    ];
    app.ingress.subscribe(
      "say",
      () => {
        throw new EventError("CONFLICT", "no");
      },
      { use },
    );
    const client = await app.connect();
    expect(codeOf(await client.emitWithAck("say"))).toBe("CONFLICT");
  });

  it("that answers first lets what is inside it end when it likes", async () => {
    await using app = await serveIngress();
    const inside = deferred();
    const use = [
      (_context: unknown, next: () => unknown): string => {
        void next();
        return "early";
      },
    ];
    class Slow extends Handler {
      readonly name = "slow";
      readonly events = { say: { run: () => inside.promise, use, timeoutMs: 20 } };
    }
    const handler = new Slow();
    await handler.setup(app.io);
    const client = await app.connect();
    expect(await client.emitWithAck("say")).toBe("early");
    // Whoever waits for it waits no longer than its time.
    await handler.teardown();
    inside.resolve();
    await inside.promise;
    expect(codeOf(await client.emitWithAck("say"))).toBe("UNKNOWN_EVENT");
  });
});

describe("a subscriber", () => {
  it("has one log for all that it says, and may reply to who wants no answer", async () => {
    await using app = await serveIngress();
    const heard = deferred<unknown[]>();
    app.ingress.subscribe("say", (context) => {
      heard.resolve([context.log === context.log, context.reply("to nobody"), context.namespace]);
    });
    const client = await app.connect();
    client.emit("say");
    expect(await heard.promise).toEqual([true, true, "/"]);
  });

  it("may return a promise whose `then` is its own, which is not asked", async () => {
    await using app = await serveIngress();
    app.ingress.subscribe("say", () => {
      const promise = Promise.resolve("real");
      return Object.assign(promise, {
        then: (ok: (value: string) => void) => {
          ok("its own");
          ok("twice");
        },
      });
    });
    const client = await app.connect();
    expect(await client.emitWithAck("say")).toBe("real");
  });
});

it("a request id means nothing where nobody runs calls once", async () => {
  await using app = await serveIngress();
  let runs = 0;
  app.ingress.subscribe("pay", () => ++runs);
  const client = await app.connect();
  for (let i = 1; i <= 2; i++) {
    client.emit("ingress:request", "r1", "pay");
    expect(await client.emitWithAck("pay")).toBe(i);
  }
});

it("an interceptor without a name is described as one", async () => {
  await using app = await serveIngress();
  app.ingress.subscribe("pay", () => 1, { use: [(_context, next) => next()] });
  expect(app.ingress.describe()).toMatchObject([{ event: "pay", use: ["(anonymous)"] }]);
});

it("a dispatch by hand without a socket is asked about by nobody, and is of the main namespace", async () => {
  await using app = await serveIngress();
  const asked = vi.fn();
  app.ingress.beforeEvent(asked);
  app.ingress.subscribe("pay", ({ namespace }) => namespace);
  expect(await app.ingress.dispatch("pay")).toBe("/");
  expect(asked).not.toHaveBeenCalled();
});
