import { ServiceManager } from "socket-ingress";
import { Changes, expressChanges, fastifyChanges, follow, honoChanges } from "socket-ingress/changes";
import { KyselyDocumentStore } from "socket-ingress/collab";
import { KyselyNotificationStore } from "socket-ingress/notifications";
import { QueueService } from "socket-ingress/queue";
import { Realtime, user } from "socket-ingress/realtime";
import { fakeServer } from "socket-ingress/testing";
import { describe, expect, it } from "vitest";

/** Takes whatever it is given, as a program without types does. */
type Untyped = (...args: unknown[]) => unknown;

describe("what a door is given that does not fit", () => {
  const sources = { expressChanges, fastifyChanges, honoChanges } as unknown as Record<string, Untyped>;
  const changes = new Changes({ realtime: new Realtime() });
  const posts = changes.define<{ id: number }>("post", { id: ({ id }) => id, serialise: (row) => row });

  it.each(Object.entries(sources))("%s names an option that there is not, and one that can't be", (name, source) => {
    expect(() => source(posts, { loadold: () => undefined })).toThrow(
      new TypeError(`${name}: there is no option "loadold"; there are loadOld, param`),
    );
    expect(() => source(posts, { param: 5 })).toThrow(
      new TypeError(`${name}: param must be a non-empty string, got 5`),
    );
    expect(() => source(posts, "id")).toThrow(new TypeError(`${name}: options must be an object, got "id"`));
  });

  it("follow names an option that there is not", () => {
    expect(() => (follow as Untyped)(posts, { create: () => ({ id: 1 }) }, { loadold: 1 })).toThrow(
      new TypeError('follow: there is no option "loadold"; there are loadOld'),
    );
  });

  it("a transaction says at once that it is no function", () => {
    expect(() => changes.transaction(undefined as never)).toThrow(
      new TypeError("changes: transaction expects a function, got undefined"),
    );
  });

  it.each([
    ["KyselyNotificationStore", () => new KyselyNotificationStore(undefined as never), "undefined"],
    ["KyselyDocumentStore", () => new KyselyDocumentStore({ query: () => undefined } as never), "an object"],
  ])("%s says what it got for a database", (name, make, got) => {
    expect(make).toThrow(new TypeError(`${name}: expected an instance of Kysely, got ${got}`));
  });

  it("a queue names what is no options, and all that there are", async () => {
    const queue = new QueueService();
    await expect((queue.enqueue as Untyped).call(queue, "mails", 1, 5)).rejects.toThrow(
      new TypeError('enqueue("mails"): options must be an object, got 5'),
    );
    await expect((queue.tryEnqueue as Untyped).call(queue, "mails", 1, { delay: 5 })).rejects.toThrow(
      new TypeError('tryEnqueue("mails"): there is no option "delay"; there are id, delayMs, priority, from'),
    );
    expect(await queue.pending("mails")).toBe(0);
  });

  it("a push says what is no options, and names those of receipts that there are not", async () => {
    await using io = fakeServer();
    const realtime = new Realtime();
    const manager = new ServiceManager(io).registerHandler(realtime);
    await manager.boot();
    const push = (options: unknown): unknown =>
      (realtime.emitSocket as Untyped).call(realtime, "e", 1, user("a"), options);
    expect(() => push(5)).toThrow(new TypeError('push "e": options must be an object, got 5'));
    expect(() => push({ receipts: { timeout: 5 } })).toThrow(
      new TypeError('push "e": receipts: there is no option "timeout"; there are timeoutMs'),
    );
    await manager.shutdown({ graceMs: 0 });
  });
});
