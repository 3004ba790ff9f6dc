import type { Server } from "socket.io";
import { ClientModule, createClient } from "socket-ingress/client";
import { describe, expect, it, vi } from "vitest";
import { deferred } from "./fixtures/deferred.js";
import { FakeSocket, settled } from "./fixtures/fake-socket.js";
import { recordingLogger } from "./fixtures/recorder.js";
import { rejection } from "./fixtures/rejection.js";

interface State {
  items: unknown[];
  loading: boolean;
}

/** A module whose start and stop are the test's. */
class Items extends ClientModule<Server, State> {
  override state: State = { items: [], loading: false };
  begin: (module: Items) => unknown = () => {};
  finish: (module: Items) => unknown = () => {};

  protected override async onStart(): Promise<void> {
    await this.begin(this);
  }
  protected override async onStop(): Promise<void> {
    await this.finish(this);
  }
}

function items(socket: FakeSocket = FakeSocket.connected()): { module: Items; socket: FakeSocket; lines: string[] } {
  const logger = recordingLogger();
  return { module: new Items(createClient(socket, { logger })), socket, lines: logger.lines };
}

describe("a module", () => {
  it("undoes everything it took when it stops, in reverse", async () => {
    const { module, socket } = items();
    const undone: string[] = [];
    const heard = vi.fn<() => void>();
    let aborted: Promise<{ code: string }> | undefined;
    module.begin = () => {
      module.addCleanup(() => undone.push("first"));
      module.onSocket("presence", heard);
      module.refetchOnSocket("items_changed", "get_items", heard);
      void module.joinTopic("room:42");
      aborted = rejection(module.callAction("slow"));
      module.addCleanup(() => undone.push("last"));
    };
    const before = socket.heard.size;
    await module.start();
    expect(socket.take().map(({ event, reply }) => (event === "slow" ? event : (reply({}), event)))).toEqual([
      "ingress:join",
      "slow",
    ]);
    await settled();
    await module.stop();
    expect((await aborted)?.code).toBe("ABORTED");
    expect(undone).toEqual(["last", "first"]);
    expect(socket.heard.size).toBe(before);
    expect(socket.frames()).toEqual(['ingress:leave "room:42"']);
    socket.push("presence");
    expect(heard).not.toHaveBeenCalled();
  });

  it("is stopped when onStop is through, for whoever asks; and starts again in the tick it is told to", async () => {
    const { module } = items();
    const begin = vi.fn<() => void>();
    const finished = deferred();
    module.begin = begin;
    module.finish = () => finished.promise;
    await module.start();
    void module.stop();
    const stopped = vi.fn<() => void>();
    const again = module.stop().then(stopped);
    await settled();
    expect(stopped).not.toHaveBeenCalled();
    finished.resolve();
    await again;
    void module.start();
    expect(begin).toHaveBeenCalledTimes(2);
  });

  it("starts in this tick, and once however often it is started", async () => {
    const { module } = items();
    const begin = vi.fn<() => void>();
    module.begin = begin;
    const [first, second] = [module.start(), module.start()];
    expect(begin).toHaveBeenCalledOnce();
    await Promise.all([first, second]);
    await module.start();
    expect(begin).toHaveBeenCalledOnce();
  });

  it("can be stopped before it was started, twice, and started again", async () => {
    const { module, socket } = items();
    module.begin = () => module.onSocket("presence", () => {});
    const finish = vi.fn<() => void>();
    module.finish = finish;
    await module.stop();
    expect(finish).not.toHaveBeenCalled();
    for (let n = 1; n <= 2; n++) {
      await module.start();
      expect(socket.heard.get("presence")?.size).toBe(1);
      await module.stop();
      await module.stop();
      expect(socket.heard.has("presence")).toBe(false);
      expect(finish).toHaveBeenCalledTimes(n);
    }
  });

  it("started, stopped and started in one go runs once at the end, as React's strict mode wants it", async () => {
    const { module, socket } = items();
    module.begin = () => module.onSocket("presence", () => {});
    void module.start();
    void module.stop();
    await module.start();
    expect(socket.heard.get("presence")?.size).toBe(1);
    void module.stop();
    void module.start();
    await module.stop();
    await settled();
    expect(socket.heard.has("presence")).toBe(false);
  });

  it("stopped while its start awaits a join, it asks and joins nothing any more", async () => {
    const { module, socket } = items();
    module.begin = async () => {
      await module.joinTopic("t");
      module.refetchOnSocket(
        "presence",
        () => socket.emit("asked"),
        () => {},
        { immediate: true },
      );
      await module.joinTopic("u");
    };
    const started = module.start();
    void module.stop();
    await started;
    for (const { reply } of socket.take()) reply({});
    await settled();
    expect(socket.frames()).toEqual(['ingress:leave "t"']);
  });

  it("takes nothing any more when its start goes on after the stop, and that start does not fail", async () => {
    const { module, socket } = items();
    module.begin = async () => {
      await module.callAction("get_items").catch(() => {});
      module.onSocket("presence", () => {});
      await module.callAction("more");
    };
    const started = module.start();
    expect(socket.frames()).toEqual(["get_items"]);
    await module.stop();
    await started;
    expect(socket.heard.has("presence")).toBe(false);
    expect(socket.frames()).toEqual([]);
  });

  it("that fails to start undoes what it took and rejects, and can be started again", async () => {
    const { module, socket } = items();
    const finish = vi.fn<() => void>();
    module.finish = finish;
    module.begin = () => {
      module.onSocket("presence", () => {});
      throw new Error("no");
    };
    await expect(module.start()).rejects.toThrow("no");
    expect(socket.heard.has("presence")).toBe(false);
    expect(finish).not.toHaveBeenCalled();
    module.begin = () => module.onSocket("presence", () => {});
    await module.start();
    expect(socket.heard.get("presence")?.size).toBe(1);
  });

  it("that throws in the tick it is started in rejects, and can be started again", async () => {
    let fails = true;
    class Hasty extends ClientModule {
      protected override onStart(): void {
        if (fails) throw new Error("at once");
      }
    }
    const module = new Hasty(createClient(FakeSocket.connected()));
    await expect(module.start()).rejects.toThrow("at once");
    fails = false;
    await module.start();
    expect(module.signal.aborted).toBe(false);
  });

  it("that stops while it subscribes keeps nothing of it", async () => {
    const { module, socket } = items();
    const before = socket.heard.size;
    module.begin = () =>
      void module.refetchOnSocket(
        "changed",
        () => module.stop(),
        () => {},
        { immediate: true },
      );
    await module.start();
    expect(socket.heard.size).toBe(before);
  });

  it("stops to the end whatever throws, and logs it", async () => {
    const { module, socket, lines } = items();
    module.begin = () => {
      module.onSocket("presence", () => {});
      module.addCleanup(() => {
        throw new Error("cleanup");
      });
    };
    module.finish = () => Promise.reject(new Error("stop"));
    await module.start();
    await module.stop();
    expect(socket.heard.has("presence")).toBe(false);
    expect(lines.toSorted()).toEqual([
      "error: socket-ingress: a cleanup of Items failed Error: cleanup",
      "error: socket-ingress: onStop of Items failed Error: stop",
    ]);
  });

  it("has a signal that aborts when it stops", async () => {
    const { module } = items();
    expect(module.signal.aborted).toBe(true);
    await module.start();
    const { signal } = module;
    expect(signal.aborted).toBe(false);
    await module.stop();
    expect(signal.aborted).toBe(true);
  });

  it("stops at the end of a block that holds it with `await using`", async () => {
    const socket = FakeSocket.connected();
    {
      await using module = items(socket).module;
      module.begin = () => module.onSocket("presence", () => {});
      await module.start();
      expect(socket.heard.has("presence")).toBe(true);
    }
    expect(socket.heard.has("presence")).toBe(false);
  });

  it("needs neither start, stop nor state of its own", async () => {
    class Bare extends ClientModule {}
    const module = new Bare(createClient(FakeSocket.connected()));
    await module.start();
    await module.stop();
    expect(module.state).toEqual({});
  });

  it("survives a proxy around it, as Vue's reactive makes one", async () => {
    const { module, socket } = items();
    const proxy = new Proxy(module, {});
    module.begin = () => module.onSocket("presence", () => {});
    await proxy.start();
    proxy.setState({ loading: true });
    expect(proxy.getSnapshot().loading).toBe(true);
    await proxy.stop();
    expect(socket.heard.has("presence")).toBe(false);
  });
});

describe("a module's state", () => {
  it("is the same object until something changes", () => {
    const { module } = items();
    const { getSnapshot, state } = module;
    expect(getSnapshot()).toBe(state);
    module.setState({ loading: false });
    module.setState({});
    expect(getSnapshot()).toBe(state);
    module.setState({ loading: true });
    expect(getSnapshot()).toEqual({ items: [], loading: true });
    expect(getSnapshot()).not.toBe(state);
  });

  it("is told at once and after each change, until undone", () => {
    const { module } = items();
    const { subscribe } = module;
    const told: boolean[] = [];
    const off = subscribe(({ loading }) => told.push(loading));
    module.setState(({ loading }) => ({ loading: !loading }));
    module.setState({ loading: true });
    off();
    module.setState({ loading: false });
    expect(told).toEqual([false, true]);
  });

  it("reaches the other subscribers when one throws", () => {
    const { module, lines } = items();
    const told = vi.fn<() => void>();
    module.subscribe(() => {
      throw new Error("no");
    });
    module.subscribe(told);
    module.setState({ loading: true });
    expect(told).toHaveBeenCalledTimes(2);
    expect(lines).toEqual([
      "error: socket-ingress: a new subscriber of a module failed Error: no",
      "error: socket-ingress: a subscriber of Items failed Error: no",
    ]);
  });

  it("stays when the module stops, for those who still show it", async () => {
    const { module } = items();
    await module.start();
    module.setState({ items: [1] });
    await module.stop();
    expect(module.getSnapshot().items).toEqual([1]);
  });

  it("keeps the contract of Svelte's stores: told synchronously on subscribing, undone by what that returns", () => {
    const { module } = items();
    // As svelte/store's own `get` reads any store.
    let value: State | undefined;
    module.subscribe((state) => (value = state))();
    expect(value).toBe(module.state);
  });
});
