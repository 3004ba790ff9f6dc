import { type } from "arktype";
import * as v from "valibot";
import { Server } from "socket.io";
import {
  Controller,
  type ControllerHandler,
  type EventContext,
  type EventMap,
  Handler,
  type Interceptor,
  ServiceManager,
  SocketIngress,
} from "socket-ingress";
import { Auth } from "socket-ingress/auth";
import { Changes } from "socket-ingress/changes";
import { Collab } from "socket-ingress/collab";
import { Limits } from "socket-ingress/limits";
import { Notifications } from "socket-ingress/notifications";
import { QueueService } from "socket-ingress/queue";
import { Realtime } from "socket-ingress/realtime";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { observe } from "../../src/lifecycle/observer.js";
import type { AnySubscriber } from "../../src/events/subscriber.js";
import { recordingLog } from "../fixtures/recording-log.js";

const timed: Interceptor = (_context, next) => next();

class Notes extends Handler {
  readonly name = "notes";
  readonly auth = new Auth({ secret: "a secret of at least thirty-two bytes", optional: true });
  override readonly use = [timed];
  override readonly eventPriorities = { say: 20 };
  readonly events = {
    say: { run: "onSay", input: z.object({ text: z.string(), to: z.string().optional() }) },
    wipe: { run: "onWipe", use: [this.auth.require("admin", { permission: "wipe" })] },
    guarded: { run: this.auth.guard(), guard: true },
  } satisfies EventMap<Notes>;

  override beforeEvent(): void {}
  onSay(_context: EventContext, { text }: { text: string }) {
    return text;
  }
  onWipe() {
    return 1;
  }
}

class Rooms extends Controller {
  readonly name = "rooms";
  built = 0;
  #more: string[] = [];

  override onStart() {
    this.#more = ["late"];
  }
  override buildEvents(handler: ControllerHandler) {
    this.built++;
    handler.on("say", this.onSay, { priority: 5 });
    for (const event of this.#more) handler.on(event, this.onSay);
  }
  private onSay(_context: EventContext, text: unknown) {
    return text;
  }
}

/** A manager with everything that subscribes when it starts. */
function everything() {
  const realtime = new Realtime();
  realtime.topics.define("room:{id}", { join: () => true, presence: true, snapshot: () => 1 });
  const limits = Limits.recommended({ realtime });
  limits.rate({ name: "talk", events: ["say"], points: 8, durationMs: 5_000, by: "user" });
  const changes = new Changes({ realtime });
  changes.define<{ id: string }>("post", { id: ({ id }) => id, topics: () => [] });
  const collab = new Collab({ realtime });
  collab.define("doc:{id}", () => "write");
  const notes = new Notes();
  const queue = new QueueService({ realtime }).process("mails", async () => undefined, { attempts: 5 });
  return new ServiceManager(new Server(), { logger: recordingLog() })
    .registerHandler(realtime)
    .registerHandler(notes)
    .registerHandler(limits)
    .registerHandler(notes.auth)
    .registerHandler(changes)
    .registerHandler(collab)
    .registerHandler(new Notifications({ realtime }))
    .registerService(queue);
}

afterEach(() => observe(undefined));

describe("the description of a manager", () => {
  it("tells before the boot who will listen, who will be asked, and in which order", async () => {
    const manager = everything();
    const before = manager.describe();
    await manager.boot();
    const after = manager.describe();
    expect([before.booted, after.booted]).toEqual([false, true]);
    expect(before.events.length).toBe(3);
    expect(before.builtIn.length).toBeGreaterThan(15);
    expect(before.events).toEqual(after.events);
    // Which of its own classes a door uses is no promise.
    const withoutOwner = ({ builtIn }: typeof before) => builtIn.map((row) => ({ ...row, owner: undefined }));
    expect(withoutOwner(before)).toEqual(withoutOwner(after));
    expect(before.beforeEvents).toEqual(after.beforeEvents);
    expect(after.beforeEvents.map(({ handler }) => handler)).toEqual(["limits", "notes", "auth"]);
    await manager.shutdown();
    expect(manager.describe().events).toEqual([]);
  });

  it("starts nothing, and leaves a controller's events to the time when it has started", async () => {
    const rooms = new Rooms();
    const manager = new ServiceManager(new Server(), { logger: recordingLog() }).registerController(rooms);
    expect(manager.describe().events.map(({ event }) => event)).toEqual(["say"]);
    expect(rooms.health()).toMatchObject({ status: "idle", events: ["say"] });
    await manager.boot();
    expect(manager.describe().events.map(({ event }) => event)).toEqual(["late", "say"]);
    const { built } = rooms;
    manager.describe();
    expect(rooms.built).toBe(built);
    await manager.shutdown();
  });

  it("says of which controller it can't tell the events, and why, and tells the others", () => {
    class Unready extends Rooms {
      override buildEvents(): void {
        throw new Error("no database yet");
      }
    }
    const manager = new ServiceManager(undefined, { logger: recordingLog() })
      .registerController(new Unready())
      .registerHandler(new Notes());
    const { controllers, handlers, events } = manager.describe();
    expect(controllers).toEqual([{ name: "rooms", class: "Unready", requires: [], untold: "Error: no database yet" }]);
    expect(handlers).toEqual([{ name: "notes", class: "Notes", requires: [] }]);
    expect(new Set(events.map(({ handler }) => handler))).toEqual(new Set(["notes"]));
  });

  it("has what an ingress of one's own has, that is given to a manager to be described", () => {
    const ingress = new SocketIngress({ logger: recordingLog() });
    ingress.subscribe("say", () => 1, { priority: 7 });
    ingress.beforeEvent(function first() {}, { priority: 1 });
    const { events, beforeEvents } = new ServiceManager(undefined, { ingress }).describe();
    expect(events).toMatchObject([{ event: "say", priority: 7, handler: undefined, owner: undefined }]);
    expect(beforeEvents).toMatchObject([{ method: "first", priority: 1, builtIn: false }]);
  });

  it("names what is around a subscriber, and what auth asks for", () => {
    const { events } = everything().describe();
    const of = (name: string) => events.find(({ event }) => event === name);
    expect(of("say")).toMatchObject({ use: ["timed"], owner: 'Notes "notes"', priority: 20 });
    expect(of("wipe")?.use).toEqual(["timed", 'auth.require("admin", {"permission":"wipe"})']);
    expect(of("guarded")).toMatchObject({ method: "auth.guard()", guard: true });
  });

  it("has what the features have: topics, models, documents, queues, rates, limits, tokens", () => {
    const { features } = everything().describe();
    const has = Object.assign({}, ...features.map((feature) => feature.has)) as Record<string, object[]>;
    expect(has).toMatchObject({
      topics: expect.arrayContaining([
        expect.objectContaining({ pattern: "room:{id}", policy: "join", presence: true, snapshot: true }),
        expect.objectContaining({ pattern: "post", policy: "public" }),
      ]),
      models: [{ name: "post", topics: ["post", "post/{field}/{value}"], policy: "public" }],
      documents: [{ pattern: "doc:{id}", autosaveMs: 2_000 }],
      queues: [{ name: "mails", handled: true, attempts: 5, batchSize: 50, maxSize: 10_000 }],
      connections: [{ max: 10_000, perUser: 20 }],
      slowConsumers: [{ maxBytes: 4_000_000 }],
      tokens: [{ namespace: "/", from: ["auth", "header"], optional: true }],
      inboxes: [{ fallbacks: [], wants: false }],
    });
    expect(has["rates"]).toContainEqual({
      name: "talk",
      events: ["say"],
      points: 8,
      durationMs: 5_000,
      blockMs: 0,
      by: "user",
      store: false,
      observe: false,
    });
    expect(JSON.stringify(features)).not.toContain("a secret");
  });

  it("knows the actions that signals have named", async () => {
    const realtime = new Realtime();
    const manager = new ServiceManager(new Server(), { logger: recordingLog() }).registerHandler(realtime);
    await manager.boot();
    await realtime.emitSocketRefetch("get_items");
    await realtime.emitSocketRefetch("get_items");
    expect(manager.describe().features[0]?.has["actions"]).toEqual([{ event: "get_items" }]);
    await manager.shutdown();
  });

  it("tells where a function is written to whoever observes the process, and looks for it for nobody else", () => {
    const manager = everything();
    expect(manager.describe().events.every(({ source }) => source === undefined)).toBe(true);
    const asked: object[] = [];
    observe({
      made: () => undefined,
      placeOf(fn) {
        asked.push(fn);
        return { file: "notes.ts", line: 7 };
      },
    });
    const { events, beforeEvents } = manager.describe();
    expect(events[0]?.source).toEqual({ file: "notes.ts", line: 7 });
    expect(beforeEvents[0]?.source).toEqual({ file: "notes.ts", line: 7 });
    expect(asked).toContain(Notes.prototype.onSay);
  });
});

describe("the input of an event", () => {
  const inputOf = (input: object) => {
    const ingress = new SocketIngress({ logger: recordingLog() });
    ingress.subscribe("e", () => 1, { input } as never); // of any library
    return ingress.describe()[0]?.input;
  };
  const fields = { required: ["a"], optional: ["b"] };

  it.each([
    [
      "zod, an object",
      z.object({ a: z.string(), b: z.number().optional() }),
      { vendor: "zod", type: "object", ...fields },
    ],
    ["zod, with a default", z.object({ a: z.string(), b: z.number().default(1) }), { vendor: "zod", ...fields }],
    ["zod, a transformed string", z.string().transform(Number), { vendor: "zod", type: "string", required: undefined }],
    ["zod, nothing", z.never(), { vendor: "zod", type: "never" }],
    ["zod, one of several", z.union([z.string(), z.number()]), { vendor: "zod", type: undefined, required: undefined }],
    ["zod, what JSON Schema can't say", z.bigint(), { vendor: "zod", type: undefined, required: undefined }],
    ["arktype", type({ a: "string", "b?": "number" }), { vendor: "arktype", type: "object", ...fields }],
    [
      "valibot, which says nothing",
      v.object({ a: v.string() }),
      { vendor: "valibot", type: undefined, required: undefined },
    ],
  ])("is told of %s", (_name, schema, expected) => {
    expect(inputOf(schema)).toEqual([expect.objectContaining(expected)]);
  });

  it("is told for each argument", () => {
    expect(inputOf([z.string(), z.object({ a: z.string() })])).toMatchObject([
      { type: "string" },
      { type: "object", required: ["a"], optional: [] },
    ]);
  });
});

describe("whether a subscriber reads what the client sends", () => {
  const reads = (fn: AnySubscriber): boolean | undefined =>
    new SocketIngress({ logger: recordingLog() }).on("e", fn).describe()[0]?.readsArguments;
  class Example {
    one({ socket }: EventContext): unknown {
      return socket;
    }
    two(_context: EventContext, text: unknown): unknown {
      return text;
    }
    async defaulted(_context: EventContext, text = "a,(b"): Promise<unknown> {
      return text;
    }
    rest(...all: unknown[]): unknown {
      return all;
    }
    nested({ socket: { id } = { id: "x,y" } }: { socket?: { id: string } }): unknown {
      return id;
    }
    old(): unknown {
      return arguments[1];
    }
  }
  const { one, two, defaulted, rest, nested, old } = Example.prototype;

  it.each<[string, AnySubscriber, boolean]>([
    ["no parameter", () => 1, false],
    ["the context alone", one, false],
    ["the context alone, without parentheses", (context) => context as unknown, false],
    ["the context taken apart", nested, false],
    ["an argument", two, true],
    ["an argument with a default", defaulted, true],
    ["all of them", rest, true],
    ["arguments", old, true],
    ["nobody knows what, as it is bound", two.bind(undefined), true],
  ])("it takes %s", (_name, fn, expected) => {
    expect(reads(fn)).toBe(expected);
  });
});
