import { describe, expect, it, vi } from "vitest";
import { createOpened, type OpenedState, type Opening } from "../../src/client/opened.js";
import { recordingLogger, type RecordingLogger } from "./fixtures/recorder.js";

interface Shown extends OpenedState {
  readonly n: number;
}

function open(first: Shown): {
  opening: Opening<Shown>;
  become: (state: Shown) => Promise<void>;
  onClose: ReturnType<typeof vi.fn<() => void>>;
  logger: RecordingLogger;
} {
  let now = first;
  const onClose = vi.fn<() => void>();
  const logger = recordingLogger();
  const opening = createOpened<Shown>({ logger, name: "the thing", look: () => ({ ...now }), onClose });
  return {
    opening,
    onClose,
    logger,
    async become(state) {
      now = state;
      opening.changed();
      await Promise.resolve();
    },
  };
}

describe("something that was opened", () => {
  it("shows the same object until something is different", async () => {
    const { opening, become } = open({ n: 1, status: "loading" });
    const { getSnapshot } = opening.opened;
    const before = getSnapshot();
    await become({ n: 1, status: "loading" });
    expect(getSnapshot()).toBe(before);
    await become({ n: 2, status: "loading" });
    expect(getSnapshot()).toEqual({ n: 2, status: "loading" });
    await become({ n: 2, status: "stale", error: undefined });
    expect(getSnapshot()).toEqual({ n: 2, status: "stale", error: undefined });
  });

  it("tells each subscriber at once, and then once for all that happens in a turn", async () => {
    const { opening, become } = open({ n: 1, status: "live" });
    const told = vi.fn<(state: Shown) => void>();
    const off = opening.opened.subscribe(told);
    void become({ n: 2, status: "live" });
    void become({ n: 3, status: "live" });
    await become({ n: 4, status: "live" });
    await become({ n: 4, status: "live" });
    expect(told.mock.calls.map(([{ n }]) => n)).toEqual([1, 4]);
    off();
    off();
    await become({ n: 5, status: "live" });
    expect(told).toHaveBeenCalledTimes(2);
  });

  it("shows at once what its subscribers are told at the end of the turn", () => {
    const { opening, become } = open({ n: 1, status: "live" });
    void become({ n: 2, status: "live" });
    expect(opening.opened.getSnapshot().n).toBe(2);
  });

  it("a subscriber that throws is logged, and stops nobody", async () => {
    const { opening, become, logger } = open({ n: 1, status: "live" });
    opening.opened.subscribe(() => {
      throw new Error("no");
    });
    const told = vi.fn<() => void>();
    opening.opened.subscribe(told);
    await become({ n: 2, status: "live" });
    expect(told).toHaveBeenCalledTimes(2);
    expect(logger.lines).toEqual([
      "error: socket-ingress: a new subscriber of the thing failed Error: no",
      "error: socket-ingress: a subscriber of the thing failed Error: no",
    ]);
  });

  it("is ready when it is live for the first time", async () => {
    const { opening, become } = open({ n: 1, status: "loading" });
    const ready = vi.fn<() => void>();
    void opening.opened.ready.then(ready);
    await become({ n: 1, status: "stale" });
    await Promise.resolve();
    expect(ready).not.toHaveBeenCalled();
    await become({ n: 1, status: "live" });
    await opening.opened.ready;
    await become({ n: 1, status: "lost", error: "late" });
    await opening.opened.ready;
  });

  it("lost before, it is never ready; that is a warning if nobody is told", async () => {
    const { opening, become, logger } = open({ n: 1, status: "loading" });
    await become({ n: 1, status: "lost", error: new Error("not for you") });
    await expect(opening.opened.ready).rejects.toThrow("not for you");
    expect(logger.lines).toEqual(["warn: socket-ingress: the thing was lost Error: not for you"]);
    const other = open({ n: 1, status: "loading" });
    other.opening.opened.subscribe(() => {});
    await other.become({ n: 1, status: "lost", error: new Error("not for you") });
    expect(other.logger.lines).toEqual([]);
  });

  it("closed, it gives back what it took, once; it is ready, tells nobody, and shows what it showed last", async () => {
    const { opening, become, onClose } = open({ n: 1, status: "loading" });
    const told = vi.fn<() => void>();
    opening.opened.subscribe(told);
    opening.opened.close();
    opening.opened.close();
    await opening.opened[Symbol.asyncDispose]();
    await opening.opened.ready;
    await become({ n: 2, status: "live" });
    expect(onClose).toHaveBeenCalledOnce();
    expect(told).toHaveBeenCalledOnce();
    expect(opening.opened.getSnapshot()).toEqual({ n: 1, status: "loading" });
    const late = vi.fn<(state: Shown) => void>();
    opening.opened.subscribe(late);
    expect(late.mock.calls).toEqual([[{ n: 1, status: "loading" }]]);
  });
});
