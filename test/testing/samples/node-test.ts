// Under node:test: run by samples.test.ts, or by hand with `node --import tsx --test test/testing/samples/node-test.ts`.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Server } from "socket.io";
import { type EventContext, type EventMap, Handler, SocketIngress } from "socket-ingress";
import { fakeContext, fakeServer, inMemory } from "socket-ingress/testing";
import { recordingLog } from "../../fixtures/recording-log.js";

class GreetHandler extends Handler {
  readonly name = "greet";
  readonly events = { greet: "handleGreet", later: "handleLater" } satisfies EventMap<GreetHandler>;

  handleGreet({ socket }: EventContext, name: string): string {
    socket.broadcast.emit("greeted", name);
    return `hello ${name}`;
  }

  handleLater(_context: EventContext, ms: number): Promise<string> {
    return new Promise((resolve) => setTimeout(resolve, ms, "late"));
  }
}

void test("a greeting is answered, and told to the others", async () => {
  await using io = fakeServer();
  await new GreetHandler().setup(io);
  const [ann, bob] = [await io.connect(), await io.connect()];
  assert.equal(await ann.receive("greet", "ann"), "hello ann");
  assert.deepEqual(bob.sent, [{ event: "greeted", args: ["ann"] }]);
});

void test("a method is called directly", async () => {
  await using io = fakeServer();
  const socket = await io.connect();
  assert.equal(new GreetHandler().handleGreet(fakeContext({ socket }), "bob"), "hello bob");
});

for (const kind of ["fake", "in memory"]) {
  void test(`time is moved by node:test's own fake timers, ${kind}`, async () => {
    mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
    try {
      const call = await caller(kind);
      const started = new Promise<void>((resolve) =>
        call.io.on("connection", (socket) => socket.onAny(() => resolve())),
      );
      const reply = (await call.connect())("later", 10_000);
      await started;
      // The handler runs after the catch-all that saw the event.
      await new Promise((resolve) => setImmediate(resolve));
      mock.timers.tick(10_000);
      assert.equal(await reply, "late");
      await call.close();
    } finally {
      mock.timers.reset();
    }
  });
}

const timedOut = { error: { code: "TIMEOUT", message: "no answer in time" } };

for (const apis of [["setTimeout"], ["setTimeout", "Date"], undefined] as ("setTimeout" | "Date")[][]) {
  void test(`time limits go by node:test's fake timers: ${apis?.join(", ") ?? "all there are"}`, async () => {
    await using io = fakeServer();
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(io);
    let begun = (): void => {};
    for (const timeoutMs of [20_000, 500]) {
      const hang = (): Promise<never> => (begun(), new Promise(() => {}));
      ingress.subscribe(`for ${timeoutMs} ms`, hang, { timeoutMs });
    }
    const socket = await io.connect();
    mock.timers.enable(apis === undefined ? undefined : { apis });
    try {
      for (const ms of [20_000, 500]) {
        let answered = 0;
        const call = async (): Promise<{ reply: Promise<unknown> }> => {
          const begins = new Promise<void>((resolve) => (begun = resolve));
          const reply = socket.receive(`for ${ms} ms`).finally(() => answered++);
          await begins;
          return { reply };
        };
        const first = await call();
        mock.timers.tick(ms / 2);
        const second = await call();
        mock.timers.tick(ms / 2);
        assert.deepEqual(await first.reply, timedOut);
        mock.timers.tick(ms / 2 - 1);
        await socket.receive("nobody's"); // what was answered by now has arrived before it
        assert.equal(answered, 1);
        mock.timers.tick(1);
        assert.deepEqual(await second.reply, timedOut);
      }
    } finally {
      mock.timers.reset();
    }
  });
}

interface Caller {
  readonly io: Server;
  connect(): Promise<(event: string, ...args: unknown[]) => Promise<unknown>>;
  close(): Promise<void>;
}

async function caller(kind: string): Promise<Caller> {
  if (kind === "fake") {
    const io = fakeServer();
    await new GreetHandler().setup(io);
    return {
      io,
      async connect() {
        const socket = await io.connect();
        return (event, ...args) => socket.receive(event, ...args);
      },
      close: () => io.close(),
    };
  }
  const app = await inMemory(new Server());
  await new GreetHandler().setup(app.io);
  return {
    io: app.io,
    async connect() {
      const client = await app.connect();
      return (event, ...args) => client.emitWithAck(event, ...args);
    },
    close: () => app.close(),
  };
}
