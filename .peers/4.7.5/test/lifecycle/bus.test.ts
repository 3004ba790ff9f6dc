import { describe, expect, expectTypeOf, it, vi } from "vitest";
import { Bus } from "../../src/lifecycle/bus.js";
import { Cleanups } from "../../src/lifecycle/cleanups.js";
import { recordingLog } from "../fixtures/recording-log.js";

function fixture() {
  const log = recordingLog();
  return { log, bus: new Bus(log) };
}

describe("Bus", () => {
  it("calls everyone who listens, in order and in the same tick, with the arguments", () => {
    const { bus } = fixture();
    const seen: unknown[] = [];
    bus.listen("tick", (a, b) => seen.push(["first", a, b]));
    bus.listen("tick", (a, b) => seen.push(["second", a, b]));
    bus.listen("tock", () => seen.push("never"));
    bus.emit("tick", 1, 2);
    expect(seen).toEqual([
      ["first", 1, 2],
      ["second", 1, 2],
    ]);
  });

  it("logs a listener that throws or rejects, and calls the others", async () => {
    const { bus, log } = fixture();
    const last = vi.fn<() => void>();
    bus.listen("tick", function broken() {
      throw new Error("sync");
    });
    bus.listen("tick", () => Promise.reject(new Error("async")));
    // A thenable that is no promise, as query builders are.
    bus.listen("tick", () => ({ then: (_: unknown, reject: (e: Error) => void) => reject(new Error("lazy")) }));
    bus.listen("tick", last);
    bus.emit("tick");
    expect(last).toHaveBeenCalledOnce();
    await vi.waitFor(() => expect(log.lines).toHaveLength(3));
    expect(log.lines[0]).toMatchObject({
      level: "error",
      fields: { event: "tick", listener: "broken", err: new Error("sync") },
    });
    expect(log.lines.map(({ fields }) => (fields["err"] as Error).message)).toEqual(["sync", "async", "lazy"]);
  });

  it("gives a listener that was added during an event the next one, and one that was removed nothing more", () => {
    const { bus } = fixture();
    const added = vi.fn<() => void>();
    const removed = vi.fn<() => void>();
    let remove = () => {};
    bus.listen("tick", () => {
      bus.listen("tick", added);
      remove();
    });
    remove = bus.listen("tick", removed);
    bus.emit("tick");
    expect(added).not.toHaveBeenCalled();
    expect(removed).not.toHaveBeenCalled();
    bus.emit("tick");
    expect(added).toHaveBeenCalledOnce();
  });

  it("keeps one of two equal listeners when the other is removed, and nothing when both are", () => {
    const { bus } = fixture();
    const fn = vi.fn<() => void>();
    const off = bus.listen("tick", fn);
    const offToo = bus.listen("tick", fn);
    off();
    off();
    bus.emit("tick");
    expect(fn).toHaveBeenCalledOnce();
    offToo();
    expect(bus.listenerCount("tick")).toBe(0);
    expect(bus.listenerCount()).toBe(0);
  });

  it("lets listeners go with their owner, and the owner forget those removed by hand", async () => {
    const { bus } = fixture();
    const owner = new Cleanups(() => {});
    bus.listen("tick", () => {}, { owner });
    bus.listen("tick", () => {}, { owner })();
    expect(owner.size).toBe(1);
    await owner.run();
    expect(bus.listenerCount()).toBe(0);
    bus.listen("tick", () => {}, { owner });
    expect(bus.listenerCount()).toBe(0);
  });

  it("takes any event name for a name", () => {
    const { bus } = fixture();
    const fn = vi.fn<() => void>();
    for (const name of ["__proto__", "constructor", "error"]) {
      bus.emit(name);
      bus.listen(name, fn);
      bus.emit(name);
    }
    expect(fn).toHaveBeenCalledTimes(3);
  });

  it("names a wrong event, listener and owner, and keeps nothing", () => {
    const { bus } = fixture();
    expect(() => bus.listen(" ", () => {})).toThrow('listen expects the name of an event, got " "');
    expect(() => bus.emit(1 as never)).toThrow("emit expects the name of an event, got 1");
    expect(() => bus.listen("tick", "no" as never)).toThrow('listen("tick") expects a function, got "no"');
    expect(() => bus.listen("tick", () => {}, { owner: {} as never })).toThrow(
      'listen("tick") expects an owner with addCleanup(), got an object',
    );
    expect(bus.listenerCount()).toBe(0);
  });

  it("can be held to a map of its events", () => {
    interface Events {
      renamed(id: string, name: string): void;
    }
    const bus = new Bus<Events>(recordingLog());
    bus.listen("renamed", (id, name) => expectTypeOf([id, name]).toEqualTypeOf<string[]>());
    // @ts-expect-error the name is missing
    bus.emit("renamed", "u1");
    // @ts-expect-error there is no such event
    bus.listen("removed", () => {});
  });
});
