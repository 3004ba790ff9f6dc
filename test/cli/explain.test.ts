import { Server } from "socket.io";
import { Handler, ServiceManager, type ServiceManagerOptions, SocketIngress } from "socket-ingress";
import { Auth } from "socket-ingress/auth";
import { Limits } from "socket-ingress/limits";
import { QueueService } from "socket-ingress/queue";
import { Realtime } from "socket-ingress/realtime";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { explain, explainUnknown, similar } from "../../src/cli/explain.js";
import { routes } from "../../src/cli/routes.js";
import { table, wrap } from "../../src/cli/table.js";
import { count, duration, listOf } from "../../src/cli/words.js";
import { recordingLog } from "../fixtures/recording-log.js";

class Boards extends Handler {
  readonly name = "boards";
  readonly events = {
    connect: () => true,
    connection: () => undefined,
    disconnect: () => undefined,
    draw: {
      run: () => 1,
      input: z.object({ at: z.number() }),
      output: z.number(),
      concurrency: 2,
      queueMax: 0,
      key: () => "all",
      timeoutMs: Infinity,
      callback: "errorFirst",
      use: [function outer() {}, function inner() {}],
    },
    look: { run: (...all: unknown[]) => all, concurrency: 1, queueMax: 3, priority: 5 },
  } as const;
}

function managed(options: ServiceManagerOptions = {}) {
  return new ServiceManager(new Server(), { logger: recordingLog(), ...options }).registerHandler(new Boards());
}

/** All that is said of an event, in one text. */
const said = (manager: ServiceManager, event: string): string =>
  explain(manager.describe(), event, "/")
    .flatMap(({ steps }) => steps.flatMap(({ title, sentences }) => [title, ...sentences]))
    .join("\n");

describe("explain", () => {
  it("tells of each option what it does to the event", () => {
    const text = said(managed(), "draw");
    expect(text).toContain('a socket of / sends "draw"');
    expect(text).toContain("nobody is asked before it");
    expect(text).toContain("1. boards.run runs\n");
    expect(text).toContain(
      "It runs inside outer and inner, the outermost first; what one of them throws is its failure.",
    );
    expect(text).toContain("Its input is checked by zod { at }. at must be there. What does not fit is INVALID_INPUT");
    expect(text).toContain("At most 2 runs at a time for each key; none may wait, more are answered OVERLOADED.");
    expect(text).toContain("It may take as long as it likes.");
    expect(text).toContain("Outside production its reply is checked by a schema");
    expect(text).toContain("What it throws goes to the error subscribers, and the next one runs all the same.");
    expect(text).toContain("The reply is what boards.run returns.");
    expect(text).toContain("(null, value), or (failure)");
    const look = said(managed(), "look");
    expect(look).toContain("What the client sends reaches it as it is: no schema checks it.");
    expect(look).toContain("One run at a time for each socket; 3 may wait, more are answered OVERLOADED.");
  });

  it("tells of the ingress what holds for all events", () => {
    const manager = managed({ reply: "first", maxInFlight: 7, maxPending: 9, unknownEvents: "leave" });
    manager.ingress.subscribe("look", () => 1);
    const text = said(manager, "look");
    expect(text).toContain("7 events of a connection run at once and 9 more wait");
    expect(text).toContain(
      "The reply is the first value that one of them returns, undefined being none, as soon as it is there.",
    );
    const { steps } = explainUnknown(manager.describe(), "lock");
    expect(steps.at(-1)?.sentences[0]).toContain("It is left alone");
  });

  it("tells of those who are asked before each event, and of the rates that count it", () => {
    const limits = new Limits();
    limits.rate({ name: "looks", events: ["look"], points: 5, durationMs: 60_000, by: "address", observe: true });
    limits.rate({ name: "draws", events: ["draw"], points: 5, durationMs: 60_000, by: "address" });
    const text = said(managed().registerHandler(limits), "look");
    expect(text).toContain("limits.limits is asked\nWhat is thrown there is the reply, and no subscriber runs.");
    expect(text).toContain('The rate "looks" counts it: 5 in 1 min by address; more is noted and passes.');
    expect(text).not.toContain("draws");
  });

  it("tells of the events of a socket's life that nobody sends them", () => {
    const manager = managed({ admitTimeoutMs: 2_000 });
    expect(said(manager, "connect")).toMatch(
      /asks, before a socket is admitted; all subscribers together have 2 s[^]*FORBIDDEN/,
    );
    expect(said(manager, "connection")).toContain("its events wait until all subscribers are done");
    expect(said(manager, "disconnect")).not.toContain("RATE_LIMITED");
  });

  it("tells of names that no client can send, and nobody subscribes to, what holds without a subscriber", () => {
    const description = new ServiceManager(new Server(), { logger: recordingLog() }).describe();
    const unheard = (event: string): string =>
      explainUnknown(description, event)
        .steps.flatMap(({ title, sentences }) => [title, ...sentences])
        .join("\n");
    expect(unheard("connect")).toMatch(
      /^"connect" asks.*\nNo client can send it\.\nnobody.*\nEvery socket is admitted/,
    );
    expect(unheard("disconnect")).toContain("No client can send it.\nnobody subscribes to it");
    expect(unheard("newListener")).toContain("It reaches no subscriber.");
    for (const event of ["connect", "connection", "disconnecting", "disconnect", "error", "newListener"])
      expect(unheard(event)).not.toMatch(/UNKNOWN_EVENT|sends "/);
  });

  it("is given for each namespace, and finds names that are nearly the same", () => {
    const manager = managed();
    manager.ingress.subscribe("draw", () => 1, { namespace: "/other" });
    const description = manager.describe();
    expect(explain(description, "draw", "/").map(({ namespace }) => namespace)).toEqual(["/", "/other"]);
    expect(similar(description, "drow")).toEqual(["draw"]);
    expect(similar(description, "draw_all")).toEqual(["draw"]);
    expect(similar(description, "something else")).toEqual([]);
  });
});

describe("routes", () => {
  const plain = { width: 100, cwd: "/", title: (text: string) => `[${text}]` };

  it("shows what features have, and what was not started", () => {
    const realtime = new Realtime();
    realtime.topics.define("room:{id}", {
      join: () => true,
      input: z.string(),
      history: { keep: 5 },
      variant: () => "v",
    });
    const limits = new Limits({ realtime });
    limits.rate({
      name: "all",
      events: "all",
      points: 5,
      durationMs: 1_500,
      by: () => "x",
      blockMs: 10_000,
      observe: true,
    });
    limits.connections({ perUser: 2, whenUserIsFull: "closeOldest", idleMs: 60_000 });
    const queue = new QueueService({ maxSize: 10 }).process("mails", () => undefined, { timeoutMs: 5_000 });
    queue.asSubscriber("others");
    const manager = managed({ timeoutMs: 1_000 })
      .registerHandler(realtime)
      .registerHandler(limits)
      .registerHandler(new Auth({ secret: "x".repeat(32) }))
      .registerService(queue);
    manager.ingress.subscribe("free", () => 1, { owner: { addCleanup: () => undefined } });
    const text = routes(manager.describe(), plain);
    for (const line of [
      "[events of /]",
      "room:{id}  asks at join; input zod string; variants; history of 5 pushes, 1 h",
      "all  5 in 1500 ms by a function; every event; then refused for 10 s; only observed",
      "connections  2 of a user, the oldest makes room; ended after 1 min without an event",
      "mails   at most 10 wait; batches of 50, 1 at once; 3 attempts; at most 5 s each",
      "others  at most 10 wait; no handler here",
      "/  looked for in auth, header; nobody comes in without",
      "[built in]",
      "Nothing was started: what parts declare only while they start is not shown; with --start it is.",
    ])
      expect(text.split("\n")).toContain(line);
    expect(text).toMatch(/^draw +1 {2}boards\.run +zod \{ at \} +no time limit; 2 at once per key,/m);
    expect(text).toMatch(/owner Object/);
    expect(text).toMatch(/^look +1 {2}boards\.run +unchecked +priority 5;/m);
  });

  it("says so where there is nothing", () => {
    const manager = new ServiceManager(undefined, {
      ingress: new SocketIngress({ timeoutMs: Infinity, logger: recordingLog() }),
    });
    const text = routes(manager.describe(), plain);
    expect(text).toMatch(/^no event of the application's own\n/);
    expect(text).toContain("there is no time limit");
  });
});

describe("a table", () => {
  it("breaks prose first, then whatever is widest, behind a slash if it can, and keeps words whole", () => {
    const rows = [["name", "some words that take a line", "examples/one/two.ts:12"]];
    expect(table(rows, 100, [1])).toEqual(["name  some words that take a line  examples/one/two.ts:12"]);
    expect(table(rows, 48, [1])).toEqual(["name  some words that     examples/one/two.ts:12", "      take a line"]);
    expect(table(rows, 38, [1])).toEqual([
      "name  some words    examples/one/",
      "      that take a   two.ts:12",
      "      line",
    ]);
    expect(wrap("a_word_that_is_too_long ok", 10)).toEqual(["a_word_tha", "t_is_too_l", "ong ok"]);
    expect(wrap("", 10)).toEqual([]);
  });

  it("says times, counts and lists in words", () => {
    expect([1, 250, 1_000, 90_000, 3_600_000, 86_400_000, 604_800_000, Infinity].map(duration)).toEqual([
      ...["1 ms", "250 ms", "1 s", "90 s", "1 h", "24 h", "7 days", "no limit"],
    ]);
    expect([count(10_000), count(Infinity)]).toEqual(["10,000", "any number"]);
    expect([listOf([]), listOf(["a"]), listOf(["a", "b", "c"])]).toEqual(["", "a", "a, b and c"]);
  });
});
