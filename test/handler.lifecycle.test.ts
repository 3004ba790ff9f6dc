import { describe, expect, it, vi } from "vitest";
import { type EventContext, Handler, ServiceManager, SocketIngress } from "socket-ingress";
import { deferred } from "./fixtures/deferred.js";
import { codeOf, serveIngress } from "./fixtures/ingress.js";
import { recordingLog } from "./fixtures/recording-log.js";
import { serve } from "./fixtures/serve.js";

class Echo extends Handler {
  readonly name: string = "echo";
  readonly events = { echo: "echo" } as const;
  readonly steps: string[] = [];
  leaving: () => unknown = () => undefined;
  echo(_context: EventContext, value: unknown) {
    return value;
  }
  protected override onSetup() {
    this.steps.push("+");
  }
  protected override onTeardown() {
    this.steps.push("-");
    return this.leaving();
  }
}

describe("a handler that is told one thing while it does another", () => {
  it("stays down when a teardown takes the setup back that was asked for during a teardown", async () => {
    await using app = await serve();
    const echo = new Echo();
    const gate = deferred();
    echo.leaving = () => gate.promise;
    await echo.setup(app.io);
    const down = echo.teardown();
    const up = echo.setup(app.io);
    const downAgain = echo.teardown();
    gate.resolve();
    await Promise.all([down, up, downAgain]);
    expect([echo.registered, echo.steps]).toEqual([false, ["+", "-"]]);
  });

  it("keeps the server it is set up with, and says so to whoever gives it another", async () => {
    await using app = await serve();
    await using other = await serve();
    const echo = new Echo();
    await echo.setup(app.io);
    await echo.setup();
    expect(() => echo.setup(other.io)).toThrow(/Echo "echo": setup was given another server/);
    expect(await (await app.connect()).emitWithAck("echo", 1)).toBe(1);
    await echo.teardown();
    await echo.setup(other.io);
    expect(await (await other.connect()).emitWithAck("echo", 2)).toBe(2);
    await echo.teardown();
  });

  it("gives away at teardown what it owned from its constructor, although it was never set up", async () => {
    const close = vi.fn();
    class Owner extends Echo {
      readonly resource = this.own({ close });
    }
    const owner = new Owner();
    await owner.teardown();
    await owner.teardown();
    expect(close).toHaveBeenCalledOnce();
    expect(owner.steps).toEqual([]);
  });

  it("has a name in messages, also when its class has none", () => {
    const Nameless = (() =>
      class extends Handler {
        readonly name = "";
        readonly events = {};
      })();
    expect(() => new Nameless().setup()).toThrow(/^Handler: name must be a non-blank string/);
    const Anonymous = (() =>
      class extends Handler {
        readonly name = "anonymous";
        readonly events = {};
      })();
    expect(() => new Anonymous().setup()).toThrow(/^Handler "anonymous": setup expects a Socket.IO server/);
  });

  it("that failed to start and was set up by hand since is no reason to be degraded any more", async () => {
    await using app = await serve();
    let fails = true;
    class Moody extends Echo {
      protected override onSetup() {
        if (fails) throw new Error("not in the mood");
      }
    }
    const moody = new Moody();
    await using manager = new ServiceManager(app.io, {
      logger: recordingLog(),
      onStartFailure: "continue",
    }).registerHandler(moody);
    await manager.boot();
    expect(manager.health()).toMatchObject({
      status: "degraded",
      failures: [{ kind: "handler", name: "echo", phase: "start", reason: "Error: not in the mood" }],
    });
    fails = false;
    await moody.setup();
    expect(manager.health()).toMatchObject({ status: "ok", failures: [] });
    expect(await (await app.connect()).emitWithAck("echo", 1)).toBe(1);
  });
});

describe("a teardown waits for a method", () => {
  it("whose interceptor has answered already, for as long as its timeoutMs", async () => {
    await using app = await serveIngress();
    const gate = deferred();
    let running = 0;
    class Quick extends Handler {
      readonly name = "quick";
      readonly events = { x: { run: "x", timeoutMs: Infinity, use: [this.early] } } as const;
      early(_context: EventContext, next: () => Promise<unknown>) {
        void next();
        return "early";
      }
      async x() {
        running++;
        await gate.promise;
        running--;
      }
    }
    const quick = new Quick();
    await quick.setup(app.io);
    const client = await app.connect();
    expect(await client.emitWithAck("x")).toBe("early");
    expect(running).toBe(1);
    let down = false;
    const torn = quick.teardown().then(() => (down = true));
    expect(codeOf(await client.emitWithAck("x"))).toBe("UNKNOWN_EVENT");
    expect(down).toBe(false);
    gate.resolve();
    await torn;
    expect(running).toBe(0);
  });
});

describe("the ingress that stands for a server where nobody brings their own", () => {
  it("answers what is still on its way when its last subscriber goes, and then leaves the server", async () => {
    await using app = await serve();
    const off = SocketIngress.of(app.io).subscribe("once", () => {
      off();
      return "served";
    });
    const client = (await app.connect()).timeout(20_000);
    const replies = await Promise.all([client.emitWithAck("once"), client.emitWithAck("once")]);
    expect(replies.map(codeOf)).toEqual(["served", "UNKNOWN_EVENT"]);
    expect(SocketIngress.of(app.io).io).toBeUndefined();
    expect(app.io.sockets.listenerCount("connection")).toBe(0);
  });

  it("stays when somebody subscribes before it has left", async () => {
    await using app = await serve();
    const ingress = SocketIngress.of(app.io);
    let offNew = (): void => undefined;
    const off = ingress.subscribe("x", () => {
      off();
      process.nextTick(() => (offNew = ingress.subscribe("x", () => "new")));
      return "old";
    });
    const client = (await app.connect()).timeout(20_000);
    await Promise.all([client.emitWithAck("x"), client.emitWithAck("x")]);
    expect(await client.emitWithAck("x")).toBe("new");
    offNew();
    expect(ingress.io).toBeUndefined();
  });
});

describe("a connect check that nobody reached", () => {
  it("refuses: an interceptor that forgets to call next() opens no door", async () => {
    await using app = await serveIngress();
    const asked = vi.fn(() => true);
    app.ingress.subscribe("connect", asked, { use: [() => undefined] });
    await expect(app.connect()).rejects.toMatchObject({ data: { code: "FORBIDDEN" } });
    expect(asked).not.toHaveBeenCalled();
  });
});
