import { MemoryTopicLog, type TopicLog } from "socket-ingress/realtime";
import { describe, expect, it } from "vitest";
import { open } from "./door.js";

const history = { keep: 100, maxAgeMs: 60_000 };

/** A log that nodes could share: its entries have their place at once, and are told of late. */
class LateLog implements TopicLog {
  readonly #memory = new MemoryTopicLog();
  failing = false;
  heads = 0;
  async append(...entry: Parameters<TopicLog["append"]>) {
    const logged = this.#memory.append(...entry);
    await new Promise((resolve) => setTimeout(resolve, 50));
    return logged;
  }
  async head() {
    this.heads++;
    if (this.failing) throw new Error("the log is down");
    return this.#memory.head();
  }
  async since(...position: Parameters<TopicLog["since"]>) {
    return this.#memory.since(...position);
  }
  async after(...asked: Parameters<TopicLog["after"]>) {
    return this.#memory.after(...asked);
  }
}

describe("a client that asks whether it has been sent everything", () => {
  it.each([
    ["in memory", undefined],
    ["that is slow", new LateLog()],
  ])("is answered behind all that was pushed before, with a log %s", async (_, log) => {
    await using door = await open({
      ...(log && { log }),
      before: (_manager, realtime) => realtime.topics.define("t", { public: true, history }),
    });
    const { socket, events } = await door.enter();
    await socket.emitWithAck("ingress:join", "t", true);
    for (const n of [1, 2, 3]) void door.realtime.emitSocket("said", n, { topic: "t" });
    expect(await socket.emitWithAck("ingress:caughtup")).toEqual({});
    const pushes = events.filter(([event, n]) => event === "ingress:at" && typeof n === "number");
    expect(pushes.map(([, ...frame]) => frame)).toEqual([
      [1, "said", 1],
      [2, "said", 2],
      [3, "said", 3],
    ]);
  });

  it("costs one reading of the log's head, however many ask at once", async () => {
    const log = new LateLog();
    await using door = await open({
      log,
      before: (_manager, realtime) => realtime.topics.define("t", { public: true, history }),
    });
    const clients = await Promise.all(Array.from({ length: 5 }, () => door.enter()));
    const asks = clients.flatMap(({ socket }) =>
      Array.from({ length: 20 }, () => socket.emitWithAck("ingress:caughtup")),
    );
    const before = log.heads;
    expect(await Promise.all(asks)).toEqual(asks.map(() => ({})));
    expect(log.heads - before).toBeLessThan(30);
  });

  it("is told when the log can't be read", async () => {
    const log = new LateLog();
    await using door = await open({
      log,
      before: (_manager, realtime) => realtime.topics.define("t", { public: true, history }),
    });
    const { socket } = await door.enter();
    await socket.emitWithAck("ingress:caughtup");
    log.failing = true;
    expect(await socket.emitWithAck("ingress:caughtup")).toMatchObject({ error: { code: "INTERNAL" } });
    log.failing = false;
    expect(await socket.emitWithAck("ingress:caughtup")).toEqual({});
  });
});
