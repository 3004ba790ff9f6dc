import { loopTime } from "../../fixtures/loop-time.js";
import { describe, expect, it, vi } from "vitest";
import { EventError } from "socket-ingress";
import { session, user } from "socket-ingress/realtime";
import { deferred } from "../../fixtures/deferred.js";
import { unhandledDuring } from "../../fixtures/unhandled.js";
import { failureOf } from "./event-reader.js";
import { envelope, openPlain } from "./plain-door.js";

describe("an event stream", () => {
  it("Given `/events?topic=author`, When a change, Then `id`, `event: change`, `data` with the envelope.", async () => {
    await using plain = await openPlain();
    await using stream = await plain.stream("?topic=author");
    expect(stream.status).toBe(200);
    expect(stream.headers).toMatchObject({
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-cache, no-transform",
      "x-accel-buffering": "no",
    });
    await plain.change(1);
    await stream.until(() => stream.events.length === 1);
    expect(stream.events[0]).toEqual({ event: "change", id: expect.stringMatching(/^1\./), data: envelope(1) });
    expect(stream.retry).toBe(2_000);
  });

  it("has several topics, each change once, and says nothing of those it did not ask for", async () => {
    await using plain = await openPlain();
    await using stream = await plain.stream("?topic=author&topic=book&topic=author");
    await plain.change(1, ["author", "book"]);
    await plain.change(2, ["short"]);
    await plain.change(3, ["book"]);
    await stream.until(() => stream.events.length === 2);
    expect(stream.got("change")).toEqual([envelope(1), envelope(3)]);
  });

  it('Given `realtime.emitSocket(..., user("ada"))` and `count`, Then event streams are among them, also without a topic.', async () => {
    await using plain = await openPlain();
    const { realtime } = plain.door;
    await using ada = await plain.stream("?user=ada");
    await using grace = await plain.stream("?user=grace&session=s1");
    expect(await realtime.count(user("ada"))).toMatchObject({ sockets: 1 });
    await realtime.emitSocket("hello", { to: "ada" }, user("ada"));
    await realtime.sendTo(session("s1"), { notice: true });
    await realtime.sendTo(user("grace"), "named", { event: "NewOffer" });
    await realtime.emitSocketRefetch("get_items", { event: "items_changed" });
    await Promise.all([ada.until(() => ada.events.length === 2), grace.until(() => grace.events.length === 3)]);
    const refetch = ["refetch", { action: "get_items", event: "items_changed" }];
    const told = ({ events }: typeof ada): unknown => events.map(({ event, data }) => [event, data as unknown]);
    expect(told(ada)).toEqual([["hello", { to: "ada" }], refetch]);
    expect(told(grace)).toEqual([["notify", { notice: true }], ["NewOffer", "named"], refetch]);
  });

  it("is told events of Socket.IO's own, too: several arguments as a list, none as null, binary data as base64", async () => {
    await using plain = await openPlain();
    await using stream = await plain.stream();
    plain.door.served.io.emit("two", 1, "b");
    plain.door.served.io.emit("none");
    plain.door.served.io.emit("bytes", { picture: Buffer.from("hi"), of: [Buffer.from("you")] });
    plain.door.served.io.emit("line\r\ndata: forged", "text\n\ndata: forged");
    await stream.until(() => stream.events.length === 4);
    expect(stream.events.map(({ event, data }) => [event, data as unknown])).toEqual([
      ["two", [1, "b"]],
      ["none", null],
      ["bytes", { picture: "aGk=", of: ["eW91"] }],
      ["line data: forged", "text\n\ndata: forged"],
    ]);
  });

  it("begins with the snapshots of its topics", async () => {
    await using plain = await openPlain();
    await using stream = await plain.stream("?topic=chat");
    await stream.until(() => stream.events.length === 1);
    expect(stream.events[0]).toMatchObject({
      event: "snapshot",
      data: { topic: "chat", snapshot: { said: "before" } },
    });
  });
});

describe("a refusal", () => {
  it("Given no token 401, no right or an unknown topic 403, full 503 with `retry-after`: JSON failure, and no `text/event-stream` head.", async () => {
    await using plain = await openPlain({ maxStreams: 1 });
    const { url } = plain;
    const refusals = [
      [await failureOf(`${url}/events?user=nobody`), 401, "UNAUTHENTICATED"],
      [await failureOf(`${url}/events?topic=secret`), 403, "FORBIDDEN"],
      [await failureOf(`${url}/events?topic=author&topic=unknown`), 403, "FORBIDDEN"],
    ] as const;
    for (const [answer, status, code] of refusals) {
      expect(answer).toMatchObject({ status, type: "application/json; charset=utf-8", retryAfter: null });
      expect(answer.body).toEqual({ error: { code, message: expect.any(String) } });
    }
    await plain.sockets(0);
    await using first = await plain.stream("?topic=author");
    const full = await failureOf(`${url}/events?topic=author`);
    expect(full).toMatchObject({ status: 503, retryAfter: "5", body: { error: { code: "OVERLOADED" } } });
    first.close();
    await plain.sockets(0);
    await using next = await plain.stream("?topic=author");
    expect(next.status).toBe(200);
  });

  it("for a user who has as many streams as one may have is 429, and others are let in", async () => {
    await using plain = await openPlain({ maxStreamsPerUser: 2 });
    await using one = await plain.stream("?user=ada");
    await using two = await plain.stream("?user=ada&topic=author");
    const third = await failureOf(`${plain.url}/events?user=ada`);
    expect(third).toMatchObject({ status: 429, retryAfter: "5", body: { error: { code: "RATE_LIMITED" } } });
    await using grace = await plain.stream("?user=grace");
    await using nobody = await plain.stream();
    expect([one, two, grace, nobody].map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    one.close();
    await plain.sockets(3);
    await using again = await plain.stream("?user=ada");
    expect(again.status).toBe(200);
  });

  it("has the failure's own code, details and time to come back", async () => {
    await using plain = await openPlain();
    plain.door.ingress.subscribe("connect", ({ socket }) => {
      const said = socket.handshake.query["as"];
      if (said === "limited") throw new EventError("RATE_LIMITED", "slowly", { retryAfterMs: 1_200 });
      if (said === "odd") throw new EventError("NO_SEAT", "not today", { details: { seats: 0 } });
      if (said === "broken") throw new Error("the password is 1234");
    });
    const get = (as: string) => failureOf(`${plain.url}/events?as=${as}`);
    expect(await get("limited")).toMatchObject({ status: 429, retryAfter: "2" });
    expect(await get("odd")).toMatchObject({
      status: 403,
      body: { error: { code: "NO_SEAT", message: "not today", details: { seats: 0 } } },
    });
    const broken = await get("broken");
    expect(broken).toMatchObject({ status: 500, body: { error: { code: "INTERNAL" } } });
    expect(JSON.stringify(broken.body)).not.toContain("1234");
  });

  it("is what the application's own middleware says, and what `auth` throws", async () => {
    const auth = (request: { url?: string | undefined }): object => {
      if (request.url?.includes("expired")) throw new EventError("UNAUTHENTICATED", "expired");
      if (request.url?.includes("broken")) throw new Error("the password is 1234");
      return request.url?.includes("circular") ? circular() : { ok: true };
    };
    await using plain = await openPlain({ auth });
    plain.door.served.io.use((socket, next) => {
      next(socket.handshake.query["no"] === undefined ? undefined : new Error("no entry"));
    });
    expect(await failureOf(`${plain.url}/events?no=1`)).toMatchObject({
      status: 403,
      body: { error: { code: "FORBIDDEN", message: "no entry" } },
    });
    expect(await failureOf(`${plain.url}/events?expired`)).toMatchObject({ status: 401 });
    for (const how of ["broken", "circular"])
      expect(await failureOf(`${plain.url}/events?${how}`)).toMatchObject({
        status: 500,
        body: { error: { code: "INTERNAL" } },
      });
    expect(plain.door.log.lines.filter(({ level }) => level === "error")).toHaveLength(2);
    await plain.sockets(0);
  });

  function circular(): object {
    const self: { self?: object } = {};
    return Object.assign(self, { self });
  }
});

describe("a stream ends", () => {
  it("Given `revoke(user, topic)` or logout, Then the stream ends at once; the retry is refused.", async () => {
    await using plain = await openPlain();
    const { realtime, served } = plain.door;
    await using ada = await plain.stream("?user=ada&topic=author&topic=book");
    plain.banned.add("ada");
    await realtime.revoke("ada", "author");
    await ada.ended;
    expect(ada.got("ended")).toEqual([{ code: "FORBIDDEN", message: expect.any(String), topic: "author" }]);
    expect(await failureOf(`${plain.url}/events?user=ada&topic=author`)).toMatchObject({ status: 403 });

    realtime.topics.define("mine:{id}", { join: ({ user: id }, params) => id === params.id });
    await using grace = await plain.stream("?user=grace&topic=mine:grace");
    const [socket] = served.io.sockets.sockets.values();
    await realtime.setUser(socket!, undefined);
    await grace.ended;
    expect(grace.got("ended")).toMatchObject([{ code: "FORBIDDEN", topic: "mine:grace" }]);
    await plain.sockets(0);
  });

  it("once, with the first word, when all of its topics are taken away", async () => {
    await using plain = await openPlain();
    await using ada = await plain.stream("?user=ada&topic=author&topic=book");
    await plain.door.realtime.revoke("ada");
    await ada.ended;
    expect(ada.got("ended")).toMatchObject([{ code: "FORBIDDEN", topic: "author" }]);
  });

  it("Given `realtime.disconnect(user)`, Then its streams end, with the code.", async () => {
    await using plain = await openPlain();
    await using ada = await plain.stream("?user=ada&topic=author");
    await using grace = await plain.stream("?user=grace&topic=author");
    await plain.door.realtime.disconnect(user("ada"), {
      code: "UNAUTHENTICATED",
      message: "expired",
      retryAfterMs: 7_000,
    });
    await ada.ended;
    expect(ada.got("ended")).toEqual([{ code: "UNAUTHENTICATED", message: "expired", retryAfterMs: 7_000 }]);
    expect(ada.retry).toBe(7_000);
    await plain.change(1);
    await grace.until(() => grace.events.length === 1);
    for (const socket of plain.door.served.io.sockets.sockets.values()) socket.disconnect(true);
    await grace.ended;
    expect(grace.got("ended")).toEqual([{ code: "FORBIDDEN", message: "the server ended this connection" }]);
  });

  it("Given shutdown, Then streams end within `graceMs`; new ones get 503.", async () => {
    await using plain = await openPlain();
    const { manager, ingress } = plain.door;
    const [isRunning, go] = [deferred(), deferred()];
    ingress.subscribe("slow", async () => {
      isRunning.resolve();
      await go.promise;
    });
    const client = await plain.door.enter({ user: "grace" });
    const stream = await plain.stream("?user=ada&topic=author");
    client.socket.emit("slow");
    await isRunning.promise;
    using time = loopTime();
    const done = manager.shutdown({ graceMs: 20_000 });
    const late = await failureOf(`${plain.url}/events?topic=author`);
    expect(late).toMatchObject({ status: 503, retryAfter: "5", body: { error: { code: "SHUTTING_DOWN" } } });
    go.resolve();
    const report = await done;
    await stream.ended;
    expect(stream.got("ended")).toEqual([]);
    expect(report.failures).toEqual([]);
    expect(time.ms).toBeLessThan(15_000);
  });

  it("when Socket.IO is closed without a manager, and its connection is not left open", async () => {
    await using plain = await openPlain();
    const stream = await plain.stream("?topic=author");
    const closed = new Promise((resolve) => plain.door.served.httpServer.once("close", resolve));
    void plain.door.served.io.close();
    await stream.ended;
    await closed;
  });

  it("when its client goes: `disconnect` runs, presence is updated", async () => {
    await using plain = await openPlain();
    const { realtime, ingress } = plain.door;
    const gone = deferred<unknown>();
    ingress.subscribe("disconnect", (_context, reason) => gone.resolve(reason));
    const stream = await plain.stream("?user=ada&topic=hall");
    expect(realtime.list("hall").map((member) => member.user)).toEqual(["ada"]);
    stream.close();
    expect(await gone.promise).toBe("transport close");
    await vi.waitFor(() => expect(realtime.list("hall")).toEqual([]));
  });

  it("while it is still asked: the admission is given up, and nothing is left", async () => {
    await using plain = await openPlain();
    const asked = deferred();
    const go = deferred();
    plain.door.ingress.subscribe("connect", async () => {
      asked.resolve();
      await go.promise;
    });
    const controller = new AbortController();
    const answer = fetch(`${plain.url}/events?topic=author`, { signal: controller.signal }).catch(
      (error: unknown) => error,
    );
    await asked.promise;
    controller.abort();
    await answer;
    go.resolve();
    await plain.sockets(0);
    expect(plain.door.log.lines.filter(({ level }) => level === "error")).toEqual([]);
  });
});

describe("silence", () => {
  it("Given silence, Then a comment each `heartbeatMs`.", async () => {
    await using plain = await openPlain({ heartbeatMs: 20 });
    await using stream = await plain.stream("?topic=author");
    await stream.until(() => stream.comments >= 3);
    expect(stream.events).toEqual([]);
  });
});

describe("a filter", () => {
  it("Given `filter`, Then only what it lets through, replayed ones too; a filter that throws drops that one message for that one client.", async () => {
    const filter = (event: string, data: any, request: { url?: string | undefined }): boolean => {
      if (event !== "change") return true;
      const n = Number(data.id);
      if (n === 3 && request.url?.includes("user=ada")) throw new Error("no filter is perfect");
      return n % 2 === 1;
    };
    await using plain = await openPlain({ filter });
    await using ada = await plain.stream("?user=ada&topic=author");
    await using grace = await plain.stream("?user=grace&topic=author");
    for (const n of [1, 2, 3, 4, 5]) await plain.change(n);
    await Promise.all([ada, grace].map((one) => one.until(() => one.events.at(-1)?.data.id === "5")));
    expect(ada.got("change")).toEqual([1, 5].map(envelope));
    expect(grace.got("change")).toEqual([1, 3, 5].map(envelope));
    expect(plain.door.log.lines.filter(({ message }) => message?.includes("the filter failed"))).toHaveLength(1);

    ada.close();
    await ada.ended;
    for (const n of [6, 7]) await plain.change(n);
    await using back = await plain.stream("?user=ada&topic=author", { lastId: ada.lastId });
    await plain.change(9);
    await back.until(() => back.events.length === 2);
    expect(back.got("change")).toEqual([7, 9].map(envelope));
  });

  it("may take time: events stay in order, and one that rejects drops that one event", async () => {
    const waits = new Map<string, ReturnType<typeof deferred<boolean>>>();
    const filter = (_event: string, data: any): boolean | Promise<boolean> => {
      const wait = deferred<boolean>();
      waits.set(data.id, wait);
      return data.id === "2" ? true : wait.promise;
    };
    await using plain = await openPlain({ filter });
    await using stream = await plain.stream("?topic=author");
    const unhandled = await unhandledDuring(async () => {
      for (const n of [1, 2, 3, 4]) await plain.change(n);
      await vi.waitFor(() => expect(waits.has("1")).toBe(true));
      expect(waits.has("3")).toBe(false); // asked in turn
      waits.get("1")?.resolve(true);
      await vi.waitFor(() => expect(waits.has("3")).toBe(true));
      waits.get("3")?.reject(new Error("down"));
      await vi.waitFor(() => expect(waits.has("4")).toBe(true));
      waits.get("4")?.resolve(true);
      await stream.until(() => stream.events.length === 3);
    });
    expect(stream.got("change")).toEqual([1, 2, 4].map(envelope));
    expect(unhandled).toEqual([]);
  });

  it("that answers when its client has gone changes nothing", async () => {
    const verdict = deferred<boolean>();
    const asked = deferred();
    const filter = (): Promise<boolean> => {
      asked.resolve();
      return verdict.promise;
    };
    await using plain = await openPlain({ filter });
    const [stream, socket] = [await plain.stream("?topic=author"), await plain.socket("?topic=author")];
    await plain.sockets(2);
    await plain.change(1);
    await asked.promise;
    stream.close();
    socket.ws.terminate();
    await plain.sockets(0);
    const unhandled = await unhandledDuring(() => verdict.resolve(true));
    expect([unhandled, plain.door.log.lines.filter(({ level }) => level === "error")]).toEqual([[], []]);
  });

  it("that takes too long has its client cut when more than `maxBufferedBytes` wait for it", async () => {
    await using plain = await openPlain({ filter: () => new Promise(() => undefined), maxBufferedBytes: 2_000 });
    await using stream = await plain.stream("?topic=author");
    for (let n = 0; n < 50; n++) await plain.change(n);
    await stream.ended;
    await plain.sockets(0);
  });
});

describe("other methods, and other origins", () => {
  it("HEAD is answered as GET would be, without a stream", async () => {
    await using plain = await openPlain();
    const head = await fetch(`${plain.url}/events?topic=author`, { method: "HEAD" });
    expect([head.status, head.headers.get("content-type")]).toEqual([200, "text/event-stream; charset=utf-8"]);
    expect((await fetch(`${plain.url}/events?user=nobody`, { method: "HEAD" })).status).toBe(401);
    await plain.sockets(0);
  });

  it("OPTIONS says what there is, and everything else is 405", async () => {
    await using plain = await openPlain({ origins: ["https://app.example"] });
    const ask = (method: string, origin: string) => fetch(`${plain.url}/events`, { method, headers: { origin } });
    const known = await ask("OPTIONS", "https://app.example");
    expect(known.status).toBe(204);
    expect(Object.fromEntries(known.headers)).toMatchObject({
      allow: "GET, HEAD, OPTIONS",
      "access-control-allow-origin": "https://app.example",
      "access-control-allow-credentials": "true",
      "access-control-allow-headers": "authorization, cache-control, last-event-id",
      vary: "origin",
    });
    const other = await ask("OPTIONS", "https://evil.example");
    expect([other.status, other.headers.get("access-control-allow-origin")]).toEqual([204, null]);
    const post = await ask("POST", "https://app.example");
    expect([post.status, post.headers.get("allow")]).toEqual([405, "GET, HEAD, OPTIONS"]);
  });

  it("pages of other origins are let read by `origins`, or by what the server's `cors` allows", async () => {
    const origin = { origin: "https://app.example" };
    const allowOf = async (plain: Awaited<ReturnType<typeof openPlain>>): Promise<unknown> => {
      await using stream = await plain.stream("", { headers: origin });
      return stream.headers["access-control-allow-origin"];
    };
    await using none = await openPlain();
    expect(await allowOf(none)).toBeUndefined();
    await using any = await openPlain({ origins: "*" });
    expect(await allowOf(any)).toBe("*");
    await using pattern = await openPlain({ origins: /\.example$/g });
    expect([await allowOf(pattern), await allowOf(pattern)]).toEqual(["https://app.example", "https://app.example"]);
    await using ofServer = await openPlain({}, { server: { cors: { origin: ["https://app.example"] } } });
    expect(await allowOf(ofServer)).toBe("https://app.example");
  });

  it("a page that brings cookies along may read where the server's `cors` lets any page do so", async () => {
    await using plain = await openPlain({}, { server: { cors: { origin: true, credentials: true } } });
    await using stream = await plain.stream("", { headers: { origin: "https://app.example" } });
    expect(stream.headers).toMatchObject({
      "access-control-allow-origin": "https://app.example",
      "access-control-allow-credentials": "true",
      vary: "origin",
    });
  });
});
