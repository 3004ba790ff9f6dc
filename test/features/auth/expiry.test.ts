import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { EventError } from "socket-ingress";
import { Expiry } from "../../../src/features/auth/expiry.js";
import { FarEnd } from "../../../src/socket-io/far-end.js";
import type { Engine } from "../../../src/socket-io/engines.js";
import { deferred } from "../../fixtures/deferred.js";
import { ended, lives, open, timeless, tokenOf, whyOf } from "./gate.js";

const MINUTE = 60_000;
const expired = ["UNAUTHENTICATED", "expired"];

describe("a token that expires, by a clock in our hands", { timeout: 30_000 }, () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["Date", "performance", "setTimeout", "clearTimeout"] }));
  afterEach(() => void vi.useRealTimers());

  const times = async (gate: Awaited<ReturnType<typeof timeless>>, expiresInMs: number) => {
    const client = await gate.io.connect({ auth: { token: await tokenOf("ann", {}, { expiresInMs }) } });
    const told: unknown[] = [];
    client.on("ingress:expiring", (warning) => told.push(warning));
    client.on("ingress:ended", (why) => told.push(why));
    client.on("disconnect", (reason) => told.push(reason));
    return { client, told };
  };
  const ending = [
    { code: "UNAUTHENTICATED", message: "this token has expired", reason: "expired" },
    "io server disconnect",
  ];

  it("7. A live socket is warned at T - `warnBeforeMs` and cut at T with a code", async () => {
    await using gate = await timeless();
    const { client, told } = await times(gate, 10 * MINUTE);
    await vi.advanceTimersByTimeAsync(9 * MINUTE - 1);
    expect(told).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(told).toEqual([{ expiresInMs: MINUTE }]);
    await vi.advanceTimersByTimeAsync(MINUTE - 1);
    expect(await client.receive("say")).toBe("heard");
    const side = client.server;
    await vi.advanceTimersByTimeAsync(1);
    expect(told.slice(1)).toEqual(ending);
    expect(side.rooms.size).toBe(0);
    await vi.advanceTimersByTimeAsync(10 * MINUTE);
    expect(told.length).toBe(3);
  });

  it("is warned of as early as the options say, and a short one when half of it is left", async () => {
    await using gate = await timeless({ warnBeforeMs: 5_000 });
    const { told } = await times(gate, MINUTE);
    const short = await times(gate, 5_000);
    await vi.advanceTimersByTimeAsync(2_499);
    expect(short.told).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(short.told).toEqual([{ expiresInMs: 2_500 }]);
    await vi.advanceTimersByTimeAsync(52_499);
    expect(told).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(told).toEqual([{ expiresInMs: 5_000 }]);
  });

  it("after a month and a half is not taken for one that has expired now", { timeout: 90_000 }, async () => {
    await using gate = await timeless();
    const days = 86_400_000;
    const { client, told } = await times(gate, 45 * days);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(client.connected).toBe(true);
    await vi.advanceTimersByTimeAsync(45 * days - MINUTE - 1_000);
    expect(told).toEqual([{ expiresInMs: MINUTE }]);
    await vi.advanceTimersByTimeAsync(MINUTE);
    expect(told.slice(1)).toEqual(ending);
  });

  it("7. the event that arrives at T + 1 ms is refused even if the timer is late", async () => {
    await using gate = await timeless();
    const { client, told } = await times(gate, 10 * MINUTE);
    // The clock goes on, and no timer is called.
    vi.setSystemTime(Date.now() + 10 * MINUTE - 1);
    expect(await client.receive("say")).toBe("heard");
    vi.setSystemTime(Date.now() + 2);
    const answers = await Promise.all(
      ["say", "say", "unknown"].map((event) => client.receive(event).catch(() => "cut")),
    );
    expect(whyOf(answers[0])).toEqual(expired);
    expect(answers.slice(1).every((answer) => answer === "cut" || String(whyOf(answer)) === String(expired))).toBe(
      true,
    );
    await vi.waitFor(() => expect(told).toEqual(ending));
  });

  it.each([
    ["an hour back", -60 * MINUTE],
    ["a day back", -1_440 * MINUTE],
  ])("7. a wall clock set %s does not lengthen it by more than a minute", async (_how, step) => {
    await using gate = await timeless();
    const { told } = await times(gate, 10 * MINUTE);
    await vi.advanceTimersByTimeAsync(5 * MINUTE);
    vi.setSystemTime(Date.now() + step);
    await vi.advanceTimersByTimeAsync(4 * MINUTE);
    expect(told.filter((one) => one === "io server disconnect")).toEqual([]);
    await vi.advanceTimersByTimeAsync(2 * MINUTE);
    expect(told.slice(-2)).toEqual(ending);
  });

  it("is over by a wall clock that is set forward, within a minute even where nothing is sent", async () => {
    await using gate = await timeless();
    const { told } = await times(gate, 30 * MINUTE);
    vi.setSystemTime(Date.now() + 60 * MINUTE);
    await vi.advanceTimersByTimeAsync(MINUTE);
    expect(told.slice(-2)).toEqual(ending);
  });

  it("counts longer by what clocks may differ, before it is let in as well as after", async () => {
    await using gate = await timeless({ clockToleranceMs: 10_000 });
    const { told } = await times(gate, -5_000);
    await vi.advanceTimersByTimeAsync(4_999);
    expect(told).toEqual([{ expiresInMs: 2_500 }]);
    await vi.advanceTimersByTimeAsync(1);
    expect(told.slice(1)).toEqual(ending);
  });

  it("leaves no timer when its socket goes, nor when the door does", async () => {
    const gate = await timeless();
    const { client } = await times(gate, 10 * MINUTE);
    const { client: other } = await times(gate, 10 * MINUTE);
    const idle = vi.getTimerCount();
    await client.disconnect();
    expect(vi.getTimerCount()).toBe(idle - 1);
    await gate.auth.teardown();
    expect(vi.getTimerCount()).toBe(idle - 2);
    expect(other.connected).toBe(true);
    // Set up again, it goes on with who is there.
    await gate.auth.setup();
    await vi.advanceTimersByTimeAsync(10 * MINUTE);
    expect(other.connected).toBe(false);
    await gate[Symbol.asyncDispose]();
  });

  it("is measured by the clock that is stricter, but for corrections of a few seconds", () => {
    const expiry = new Expiry(Date.now() + MINUTE);
    expect(expiry.leftMs).toBe(MINUTE);
    vi.setSystemTime(Date.now() - 2_000);
    expect(expiry.leftMs).toBe(MINUTE + 2_000);
    vi.setSystemTime(Date.now() - 3_600_000);
    expect(expiry.leftMs).toBe(MINUTE + 5_000);
    vi.setSystemTime(Date.now() + 7_200_000);
    expect(expiry.leftMs).toBeLessThan(0);
  });
});

describe("a token that expires, on a real connection", { timeout: 30_000 }, () => {
  it("ends what waits, and lets what runs run on without anybody to answer", async () => {
    await using gate = await open({ ingress: { maxInFlight: 1 }, claims: lives(3_000) });
    const [go, began] = [deferred(), deferred()];
    const ran: unknown[] = [];
    let aborted: unknown;
    gate.ingress.subscribe("slow", async ({ signal }, n) => {
      ran.push(n);
      began.resolve();
      signal.addEventListener("abort", () => (aborted = (signal.reason as EventError).code));
      await go.promise;
    });
    const client = await gate.enter(await tokenOf("ann"));
    const over = ended(client);
    const answers: unknown[] = [];
    for (const n of [1, 2, 3]) client.emit("slow", n, (answer: unknown) => answers.push(whyOf(answer)));
    await began.promise;
    expect(await over).toMatchObject({ code: "UNAUTHENTICATED", reason: "expired" });
    expect(answers).toEqual([expired, expired]);
    go.resolve();
    await vi.waitFor(() => expect(aborted).toBe("DISCONNECTED"));
    expect(ran).toEqual([1]);
  });

  it("reaches nothing that is pushed from then on: its socket leaves all rooms in the same turn", async () => {
    await using gate = await open({ claims: lives(3_000) });
    const client = await gate.enter(await tokenOf("ann"));
    await client.emitWithAck("ingress:join", "hall");
    const heard: unknown[] = [];
    client.on("news", (n) => heard.push(n));
    const socket = gate.served.serverSide(client);
    const disconnect = socket.disconnect.bind(socket);
    let rooms: number | undefined;
    socket.disconnect = (close) => {
      disconnect(close);
      rooms = socket.rooms.size;
      return socket;
    };
    const over = ended(client);
    await gate.realtime.emitSocket("news", 1, { topic: "hall" });
    await over;
    await gate.realtime.emitSocket("news", 2, { topic: "hall" });
    expect(rooms).toBe(0);
    expect(heard).toEqual([1]);
    expect(await gate.realtime.count({ user: "ann" })).toMatchObject({ sockets: 0 });
  });

  it("10. A stream or WebSocket of a plain client ends when its token expires, not at its next reconnect.", async () => {
    await using gate = await open({ claims: lives(2_000) });
    const packets: string[] = [];
    const [gone, over] = [deferred(), deferred()];
    const far = new FarEnd(
      {
        engine: gate.served.io.engine as unknown as Engine,
        id: "a stream",
        request: { headers: {}, url: "/events", connection: {}, _query: {} } as never,
        remoteAddress: "127.0.0.1",
        transport: "sse",
      },
      {
        receive(data) {
          packets.push(String(data));
          // What a far end does that speaks Socket.IO: it is disconnected, and goes.
          if (data === "1") over.resolve();
        },
        lost: () => gone.resolve(),
      },
    );
    far.open();
    far.incoming(`0${JSON.stringify({ token: await tokenOf("ann") })}`);
    await over.promise;
    far.lose("transport close");
    await gone.promise;
    expect(packets[0]).toMatch(/^0\{"sid"/);
    expect(packets.slice(-2)).toEqual([
      `2${JSON.stringify(["ingress:ended", { code: "UNAUTHENTICATED", message: "this token has expired", reason: "expired" }])}`,
      "1",
    ]);
    expect(packets.some((packet) => packet.includes("ingress:expiring"))).toBe(true);
  });

  it("that has none of it stays for as long as its connection", async () => {
    await using gate = await open();
    const client = await gate.enter(await tokenOf("ann", { exp: undefined }));
    expect(gate.auth.claimsOf(gate.served.serverSide(client))?.expiresAt).toBeUndefined();
    expect(await client.emitWithAck("ingress:token", await tokenOf("ann", { exp: undefined }))).toEqual({
      expiresInMs: null,
    });
  });

  it("between the verdict and the connection ends it there, and nobody is told of it", async () => {
    const told: string[] = [];
    await using gate = await open({
      claims: lives(100),
      before: ({ ingress }) => {
        ingress.subscribe("connect", () => new Promise((resolve) => void setTimeout(resolve, 300)), { priority: 5 });
        ingress.subscribe("connection", () => void told.push("connection"));
      },
    });
    const client = gate.served.client({ auth: { token: await tokenOf("ann") } });
    const over = ended(client);
    client.connect();
    expect(await over).toMatchObject({ reason: "expired" });
    expect(told).toEqual([]);
  });
});
