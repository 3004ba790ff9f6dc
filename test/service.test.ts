import { reasonOf } from "../src/wire/values.js";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Bus } from "../src/lifecycle/bus.js";
import { bindHost, type Host } from "../src/events/host.js";
import { Registry } from "../src/lifecycle/registry.js";
import { Service } from "../src/service.js";
import { recordingLog } from "./fixtures/recording-log.js";

interface Count {
  readonly n: number;
  readonly label?: string;
}

class Recorder extends Service<Count> {
  readonly name: string = "recorder";
  override state: Count = { n: 0 };
  readonly seen: string[] = [];
  starting: () => unknown = () => {};
  stopping: () => unknown = () => {};

  override async onStart() {
    this.seen.push("onStart");
    await this.starting();
  }
  override async onStop() {
    this.seen.push("onStop");
    await this.stopping();
  }
}

function hosted() {
  const log = recordingLog();
  const registry = new Registry();
  const bus = new Bus(log);
  const io = {};
  // Only these are read: the ingress is for handlers.
  const host = { log, registry, bus, io, ingress: undefined } as unknown as Host;
  return { log, registry, bus, io, host };
}

function fixture(make: new () => Recorder = Recorder) {
  const parts = hosted();
  const service = new make();
  service[bindHost](parts.host);
  return { ...parts, service };
}

function deferred<T = void>() {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("a service that no manager has logs by the default logger, under its name", () => {
  const { log } = new Recorder();
  const write = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  log.warn("told");
  expect(write.mock.calls.join()).toContain("told");
});

describe("starting and stopping", () => {
  it("runs onStart and onStop once each, however often it is asked", async () => {
    const { service } = fixture();
    expect(service.health().status).toBe("idle");
    const first = service.start();
    expect(service.start()).toBe(first);
    await first;
    await service.start();
    expect(service.health().status).toBe("ok");
    const stop = service.stop();
    expect(service.stop()).toBe(stop);
    await stop;
    await service.stop();
    expect(service.seen).toEqual(["onStart", "onStop"]);
    expect(service.health().status).toBe("stopped");
  });

  it("starts again after a stop, with a signal and a state of its own", async () => {
    const { service } = fixture();
    await service.start();
    const { signal } = service;
    service.setState({ n: 5 });
    await service.stop();
    expect(signal.aborted).toBe(true);
    expect(service.getState()).toEqual({ n: 5 });
    await service.start();
    expect(service.signal).not.toBe(signal);
    expect(service.signal.aborted).toBe(false);
    expect(service.getState()).toEqual({ n: 0 });
    expect(service.seen).toEqual(["onStart", "onStop", "onStart"]);
    await service.stop();
  });

  it("runs without a manager", async () => {
    const service = new Recorder();
    const tick = vi.fn<() => void>();
    service.starting = () => service.interval(tick, 10);
    await service.start();
    vi.advanceTimersByTime(10);
    expect(tick).toHaveBeenCalledOnce();
    expect(service.io).toBeUndefined();
    expect(service.resolve("db")).toBeUndefined();
    await service.stop();
  });

  it("undoes everything in reverse at stop, after onStop, each awaited", async () => {
    const { service, bus, registry } = fixture();
    const { seen } = service;
    service.starting = () => {
      service.addCleanup(() => seen.push("cleanup"));
      service.own({
        async close() {
          await Promise.resolve();
          seen.push("closed");
        },
      });
      service.listen("tick", () => {});
      service.provide("db", 1);
      service.interval(() => {}, 10);
      service.timeout(() => {}, 10);
      service.spawn(async (signal) => {
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        seen.push("task ended");
      });
    };
    await service.start();
    expect(registry.resolve("db")).toBe(1);
    expect(vi.getTimerCount()).toBe(2);
    await service.stop();
    // The task was told first of all, and so ended before anything that came ahead of it was undone.
    expect(seen.indexOf("task ended")).toBeLessThan(seen.indexOf("closed"));
    expect(seen.filter((step) => step !== "task ended")).toEqual(["onStart", "onStop", "closed", "cleanup"]);
    expect(bus.listenerCount()).toBe(0);
    expect(registry.resolve("db")).toBeUndefined();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("cleans up what it opened when onStart fails, and can be started again", async () => {
    const { service, registry } = fixture();
    const close = vi.fn<() => void>();
    const failure = new Error("no database");
    service.starting = () => {
      service.own({ close });
      service.interval(() => {}, 10);
      throw failure;
    };
    await expect(service.start()).rejects.toBe(failure);
    expect(close).toHaveBeenCalledOnce();
    expect(vi.getTimerCount()).toBe(0);
    expect(service.signal.aborted).toBe(true);
    expect(service.health()).toEqual({
      name: "recorder",
      status: "failed",
      failures: 0,
      reason: "Error: no database",
    });
    expect(registry.resolve("recorder")).toBeUndefined();
    await service.stop();
    expect(service.seen).toEqual(["onStart"]);

    service.starting = () => {};
    await service.start();
    expect(service.health()).toEqual({ name: "recorder", status: "ok", failures: 0 });
    await service.stop();
  });

  it("logs a cleanup that fails after a failed start, and rejects with the first error all the same", async () => {
    const { service, log } = fixture();
    service.starting = () => {
      service.addCleanup(() => Promise.reject(new Error("cleanup")));
      throw new Error("start");
    };
    await expect(service.start()).rejects.toThrow("start");
    expect(log.lines).toMatchObject([
      { message: "a cleanup failed after a failed start", fields: { service: "recorder", err: new Error("cleanup") } },
    ]);
  });

  it("takes a start back when it is stopped meanwhile: the signal aborts, and the stop waits for the start", async () => {
    const { service } = fixture();
    const { seen } = service;
    const opened = deferred();
    service.starting = async () => {
      service.addCleanup(() => seen.push("cleanup"));
      await opened.promise;
      seen.push(service.signal.aborted ? "aborted" : "not aborted");
    };
    const start = service.start();
    await Promise.resolve();
    expect(service.health().status).toBe("starting");
    const stop = service.stop();
    opened.resolve();
    await expect(start).rejects.toThrow('"recorder" was stopped while it started');
    await stop;
    expect(seen).toEqual(["onStart", "aborted", "onStop", "cleanup"]);
    expect(service.health().status).toBe("stopped");
  });

  it("is stopped, not failed, when its start fails of being stopped", async () => {
    const { service } = fixture();
    service.starting = () =>
      new Promise((_, reject) => service.signal.addEventListener("abort", () => reject(service.signal.reason)));
    const start = service.start();
    await Promise.resolve();
    const stop = service.stop();
    await expect(start).rejects.toThrow('"recorder" was stopped while it started');
    await stop;
    expect(service.health()).toEqual({ name: "recorder", status: "stopped", failures: 0 });
    expect(service.seen).toEqual(["onStart"]);
  });

  it("never runs onStart for a start that was taken back before it began, and harms nobody who ignores it", async () => {
    const { service } = fixture();
    void service.start();
    await service.stop();
    expect(service.seen).toEqual([]);
  });

  it("ends as it was last asked to, whatever was asked before", async () => {
    const { service } = fixture();
    const outcomes = await Promise.allSettled([service.start(), service.stop(), service.start(), service.stop()]);
    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "fulfilled", "rejected", "fulfilled"]);
    expect(service.health().status).toBe("stopped");

    await service.start();
    const stop = service.stop();
    const start = service.start();
    await Promise.all([stop, start]);
    expect(service.seen).toEqual(["onStart", "onStop", "onStart"]);
    expect(service.health().status).toBe("ok");
    await service.stop();
  });

  it("runs every cleanup when onStop throws, and rejects with what was thrown", async () => {
    const { service } = fixture();
    const cleanup = vi.fn<() => void>();
    service.starting = () => void service.addCleanup(cleanup);
    service.stopping = () => Promise.reject(new Error("onStop"));
    await service.start();
    await expect(service.stop()).rejects.toThrow("onStop");
    expect(cleanup).toHaveBeenCalledOnce();
    expect(service.health().status).toBe("stopped");
    await service.stop();

    service.starting = () => void service.addCleanup(() => Promise.reject(new Error("cleanup")));
    await service.start();
    const error = await service.stop().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(AggregateError);
    expect((error as AggregateError).errors).toEqual([new Error("onStop"), new Error("cleanup")]);
  });

  it("stops what is owned before the first start, and what comes after the stop, at once", async () => {
    const { service, log } = fixture();
    const early = vi.fn<() => void>();
    const late = vi.fn<() => void>();
    service.addCleanup(early);
    await service.stop();
    expect(early).toHaveBeenCalledOnce();
    service.own({ close: late });
    expect(late).toHaveBeenCalledOnce();
    service.addCleanup(() => Promise.reject(new Error("late")));
    await vi.waitFor(() => expect(log.lines).toHaveLength(1));
    expect(log.lines[0]?.message).toBe("a cleanup failed that came after the stop");
  });

  it("works with await using", async () => {
    const { service } = fixture();
    {
      await using used = service;
      await used.start();
    }
    expect(service.seen).toEqual(["onStart", "onStop"]);
  });
});

describe("background work", () => {
  it("runs an interval until it is ended or the service stops", async () => {
    const { service } = fixture();
    const [kept, ended] = [vi.fn<() => void>(), vi.fn<() => void>()];
    await service.start();
    service.interval(kept, 10);
    const end = service.interval(ended, 10);
    vi.advanceTimersByTime(10);
    await vi.advanceTimersByTimeAsync(10);
    end();
    end();
    await vi.advanceTimersByTimeAsync(10);
    await service.stop();
    await vi.advanceTimersByTimeAsync(50);
    expect(ended).toHaveBeenCalledTimes(2);
    expect(kept).toHaveBeenCalledTimes(3);
  });

  it("leaves out a turn of an interval while the last run still goes on", async () => {
    const { service } = fixture();
    await service.start();
    const runs = [deferred(), deferred()];
    const fn = vi.fn(() => runs[fn.mock.calls.length - 1]?.promise);
    service.interval(fn, 10);
    await vi.advanceTimersByTimeAsync(35);
    expect(fn).toHaveBeenCalledOnce();
    runs[0]?.resolve();
    await vi.advanceTimersByTimeAsync(10);
    expect(fn).toHaveBeenCalledTimes(2);
    const stop = service.stop();
    runs[1]?.resolve();
    await stop;
  });

  it("waits at stop for the run that goes on, also when it was ended before", async () => {
    const { service } = fixture();
    await service.start();
    const run = deferred();
    const end = service.timeout(() => run.promise, 10);
    await vi.advanceTimersByTimeAsync(10);
    end();
    let stopped = false;
    const stop = service.stop().then(() => (stopped = true));
    await vi.advanceTimersByTimeAsync(0);
    expect(stopped).toBe(false);
    run.resolve();
    await stop;
  });

  it("calls a timeout once, and not when it was called off", async () => {
    const { service } = fixture();
    await service.start();
    const [once, never] = [vi.fn<() => void>(), vi.fn<() => void>()];
    service.timeout(once, 10);
    service.timeout(never, 10)();
    await vi.advanceTimersByTimeAsync(100);
    expect(once).toHaveBeenCalledOnce();
    expect(never).not.toHaveBeenCalled();
    await service.stop();
  });

  it("gives work a signal that aborts when it is ended or the service stops", async () => {
    const { service, log } = fixture();
    await service.start();
    const signals: AbortSignal[] = [];
    const untilAborted = (signal: AbortSignal) => {
      signals.push(signal);
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    };
    const end = service.spawn(untilAborted);
    service.spawn(untilAborted);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, false]);
    end();
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    await service.stop();
    expect(signals[1]?.reason).toBe(service.signal.reason);
    expect(service.health()).toEqual({ name: "recorder", status: "stopped", failures: 0 });
    expect(log.lines).toEqual([]);
  });

  it("takes any abort error for the end of work that was told to end, and nothing else", async () => {
    const { service, log } = fixture();
    await service.start();
    for (const error of [new DOMException("by the fetch it waited for", "AbortError"), new Error("real")]) {
      service.spawn((signal) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(error))));
    }
    await service.stop();
    expect(log.lines.map(({ fields }) => fields["err"])).toEqual([new Error("real")]);
  });

  it("survives whatever work throws: nothing, a revoked proxy, a frozen error, a promise that is rejected itself", async () => {
    const { service, log } = fixture();
    await service.start();
    const { proxy, revoke } = Proxy.revocable(new Error("hidden"), {});
    revoke();
    const thrown: unknown[] = [undefined, proxy, Object.freeze(new Error("frozen")), Promise.reject(new Error("own"))];
    for (const value of thrown) {
      service.spawn(() => {
        throw value;
      });
      service.spawn((signal) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(value))));
      service.subscribe(() => {
        throw value;
      });
    }
    service.setState({ n: 1 });
    await vi.waitFor(() => expect(log.lines).toHaveLength(8));
    expect(service.health()).toMatchObject({ status: "degraded", failures: 4 });
    await service.stop();
    expect(log.lines).toHaveLength(12);
    for (const { fields } of log.lines) expect(Object.isExtensible(fields["err"])).toBe(true);
  });

  it("begins nothing once the service is told to stop", async () => {
    const { service } = fixture();
    const fn = vi.fn<() => void>();
    service.stopping = () => {
      service.spawn(fn);
      service.interval(fn, 1);
      service.timeout(fn, 1);
    };
    await service.start();
    await service.stop();
    service.timeout(fn, 1);
    expect(vi.getTimerCount()).toBe(0);
    expect(fn).not.toHaveBeenCalled();
  });

  it("logs what an interval throws and is degraded until a run succeeds", async () => {
    const { service, log } = fixture();
    await service.start();
    const fn = vi.fn<() => void>();
    fn.mockImplementationOnce(() => {
      throw new Error("flaky");
    });
    service.interval(fn, 10);
    await vi.advanceTimersByTimeAsync(10);
    expect(service.health()).toEqual({ name: "recorder", status: "degraded", failures: 1, reason: "Error: flaky" });
    expect(log.lines[0]).toMatchObject({
      level: "error",
      message: "a background interval failed",
      fields: { service: "recorder", kind: "interval", err: new Error("flaky") },
    });
    await vi.advanceTimersByTimeAsync(10);
    expect(service.health()).toEqual({ name: "recorder", status: "ok", failures: 1 });
    await service.stop();
  });

  it("is not degraded by an interval that was ended", async () => {
    const { service } = fixture();
    await service.start();
    const end = service.interval(() => Promise.reject(new Error("broken")), 10);
    await vi.advanceTimersByTimeAsync(10);
    end();
    expect(service.health().status).toBe("ok");
    await service.stop();
  });

  it.each([
    ["a timeout", (service: Recorder, fn: () => unknown) => service.timeout(fn, 0)],
    ["a task", (service: Recorder, fn: () => unknown) => service.spawn(fn)],
  ])("logs what %s throws and is degraded from then on, until it is started again", async (_, begin) => {
    const { service, log } = fixture();
    await service.start();
    begin(service, () => {
      throw null;
    });
    await vi.advanceTimersByTimeAsync(1);
    expect(service.health()).toEqual({ name: "recorder", status: "degraded", failures: 1, reason: "thrown: null" });
    expect(log.lines).toHaveLength(1);
    await service.stop();
    await service.start();
    expect(service.health()).toEqual({ name: "recorder", status: "ok", failures: 0 });
    await service.stop();
  });

  it("names a task that is no function and a delay no timer has, and starts nothing", () => {
    const { service } = fixture();
    expect(() => service.spawn(1 as never)).toThrow("spawn expects a function, got 1");
    expect(() => service.interval("x" as never, 1)).toThrow('interval expects a function, got "x"');
    expect(() => service.timeout(undefined as never, 1)).toThrow("timeout expects a function, got undefined");
    for (const ms of [Number.NaN, -1, 2 ** 31, Number.POSITIVE_INFINITY, "5" as never]) {
      expect(() => service.interval(() => {}, ms)).toThrow(/^interval expects milliseconds from 1 to 2147483647/);
      expect(() => service.timeout(() => {}, ms)).toThrow(/^timeout expects milliseconds from 0/);
    }
    expect(() => service.interval(() => {}, 0)).toThrow(TypeError);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("leaves nothing behind of work that is over", async () => {
    const { service } = fixture();
    await service.start();
    const cleanup = vi.fn<() => void>();
    for (let i = 0; i < 100; i++) {
      service.timeout(() => {}, 1);
      service.spawn(() => {});
      service.interval(() => {}, 1)();
    }
    await vi.advanceTimersByTimeAsync(1);
    service.addCleanup(cleanup)();
    await service.stop();
    expect(vi.getTimerCount()).toBe(0);
    expect(cleanup).not.toHaveBeenCalled();
  });
});

describe("state", () => {
  it("changes by parts or by a function of itself, and tells whoever subscribed of now and before", () => {
    const { service } = fixture();
    const seen: unknown[] = [];
    service.subscribe((state, previous) => seen.push([state, previous]));
    const first = service.state;
    service.setState({ label: "x" });
    service.setState(({ n }) => ({ n: n + 1 }));
    expect(service.state).toEqual({ n: 1, label: "x" });
    expect(first).toEqual({ n: 0 });
    expect(seen).toEqual([
      [{ n: 0, label: "x" }, { n: 0 }],
      [
        { n: 1, label: "x" },
        { n: 0, label: "x" },
      ],
    ]);
  });

  it("tells nobody of a change that changes nothing", () => {
    const { service } = fixture();
    const fn = vi.fn<() => void>();
    service.subscribe(fn);
    const { state } = service;
    service.setState({ n: 0 });
    service.setState({});
    expect(fn).not.toHaveBeenCalled();
    expect(service.state).toBe(state);
  });

  it("tells of changes made by subscribers in the order in which they were made", () => {
    const { service } = fixture();
    const seen: number[] = [];
    service.subscribe(({ n }) => n === 1 && service.setState({ n: 2 }));
    service.subscribe(({ n }) => seen.push(n));
    service.setState({ n: 1 });
    expect(seen).toEqual([1, 2]);
  });

  it("logs a subscriber that throws or rejects, and tells the others", async () => {
    const { service, log } = fixture();
    const last = vi.fn<() => void>();
    service.subscribe(() => {
      throw new Error("sync");
    });
    service.subscribe(() => Promise.reject(new Error("async")));
    service.subscribe(last);
    service.setState({ n: 1 });
    expect(last).toHaveBeenCalledOnce();
    await vi.waitFor(() => expect(log.lines).toHaveLength(2));
    expect(log.lines[0]?.message).toBe("a subscriber of the state failed");
  });

  it("tells a subscriber nothing more once it has ended, also during a change, or once the service has stopped", async () => {
    const { service } = fixture();
    const [removed, kept] = [vi.fn<() => void>(), vi.fn<() => void>()];
    let end = () => {};
    service.subscribe(() => end());
    end = service.subscribe(removed);
    service.subscribe(kept);
    service.setState({ n: 1 });
    expect(removed).not.toHaveBeenCalled();
    await service.stop();
    service.setState({ n: 2 });
    expect(kept).toHaveBeenCalledOnce();
    expect(() => service.subscribe(1 as never)).toThrow("subscribe expects a function, got 1");
  });

  it("keeps what was set before the first start", async () => {
    const { service } = fixture();
    service.setState({ n: 3 });
    await service.start();
    expect(service.state.n).toBe(3);
    await service.stop();
    await service.start();
    expect(service.state.n).toBe(0);
    await service.stop();
  });

  it("is empty for a service that names none", () => {
    class Plain extends Service {
      readonly name = "plain";
    }
    expect(new Plain().getState()).toEqual({});
  });
});

describe("with a manager", () => {
  it("finds itself in the registry by name and by class while it runs", async () => {
    const { service, registry } = fixture();
    let found: unknown[] = [];
    service.starting = () => {
      found = [service.require("recorder"), service.require(Recorder)];
    };
    await service.start();
    expect(found).toEqual([service, service]);
    await service.stop();
    expect(registry.resolve("recorder")).toBeUndefined();
    expect(registry.resolve(Recorder)).toBeUndefined();
  });

  it("is what its class means when it was the first of several", async () => {
    class Other extends Recorder {
      override readonly name: string = "other";
    }
    class Twin extends Recorder {}
    const { service, registry, host } = fixture(Other);
    const second = new Other();
    Object.defineProperty(second, "name", { value: "second" });
    second[bindHost](host);
    await service.start();
    await second.start();
    expect(registry.require(Other)).toBe(service);
    expect(registry.require("second")).toBe(second);
    expect(registry.resolve(Twin)).toBeUndefined();
    await Promise.all([service.stop(), second.stop()]);
  });

  it("listens and emits on the bus, provides, requires and waits, until it stops", async () => {
    const { service, bus, registry, io } = fixture();
    expect(service.io).toBe(io);
    await service.start();
    const fn = vi.fn<(n: number) => void>();
    const off = service.listen("tick", fn);
    service.emit("tick", 1);
    expect(fn).toHaveBeenCalledWith(1);
    off();
    expect(bus.listenerCount()).toBe(0);
    service.provide("db", 7);
    expect(service.require<number>("db")).toBe(7);
    expect(await service.waitFor("db")).toBe(7);
    const waiting = service.waitFor("never").catch((error: unknown) => error);
    await service.stop();
    expect(await waiting).toBe(service.signal.reason);
    expect(registry.resolve("db")).toBeUndefined();
  });

  it.each([
    ["listen", (service: Recorder) => service.listen("tick", () => {})],
    ["emit", (service: Recorder) => service.emit("tick")],
    ["require", (service: Recorder) => service.require("db")],
    ["provide", (service: Recorder) => service.provide("db", 1)],
  ])("says that %s needs one", (method, use) => {
    expect(() => use(new Recorder())).toThrow(
      `${method}() of "recorder" needs a manager: register it with a ServiceManager or have it adopted first`,
    );
  });

  it("rejects waitFor without one", async () => {
    await expect(new Recorder().waitFor("db")).rejects.toThrow('waitFor() of "recorder" needs a manager');
  });

  it("belongs to one manager", () => {
    const { service, host } = fixture();
    service[bindHost](host);
    expect(() => service[bindHost](hosted().host)).toThrow('"recorder" belongs to a manager already');
  });

  it("writes log lines that carry its name", () => {
    const { service, log } = fixture();
    service.log.info({ n: 1 }, "hello");
    expect(log.lines).toEqual([{ level: "info", fields: { service: "recorder", n: 1 }, message: "hello" }]);
  });
});

describe("adopt", () => {
  it("lends a child the manager and stops it when the service stops, and leaves starting it to the service", async () => {
    const { service, registry } = fixture();
    const child = new Recorder();
    const parted: unknown[] = [];
    service.starting = async () => {
      await service.adopt(child).start();
      child.provide("from the child", 1);
      parted.push(child.resolve("recorder"));
    };
    await service.start();
    expect(parted).toEqual([service]);
    expect(registry.resolve("from the child")).toBe(1);
    await service.stop();
    expect(child.seen).toEqual(["onStart", "onStop"]);
    expect(child.resolve("from the child")).toBeUndefined();
  });

  it("tells children that were adopted before the manager was known", () => {
    const service = new Recorder();
    const child = service.adopt(new Recorder());
    const { host, io } = hosted();
    service[bindHost](host);
    expect(child.io).toBe(io);
  });

  it("stops anything that has a stop method, once", async () => {
    const { service } = fixture();
    const child = { stop: vi.fn<() => void>() };
    await service.start();
    expect(service.adopt(child)).toBe(child);
    await service.stop();
    await service.stop();
    expect(child.stop).toHaveBeenCalledOnce();
  });

  it("refuses what can't be stopped, naming it", () => {
    const { service } = fixture();
    for (const child of [undefined, null, {}, 1]) {
      expect(() => service.adopt(child as never)).toThrow(/^adopt expects a service or handler, with stop\(\), got/);
    }
  });
});

describe("reasonOf", () => {
  it("says in a line what was thrown, whatever it is", () => {
    const unreadable = Object.defineProperty(new Error("hidden"), "message", {
      get() {
        throw new Error("no");
      },
    });
    expect(reasonOf(new TypeError("bad"))).toBe("TypeError: bad");
    expect(reasonOf("bad")).toBe('thrown: "bad"');
    expect(reasonOf(unreadable)).toBe("an error that can't be read");
  });
});
