import { createClient } from "socket-ingress/client";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { failure, FakeSocket, settled } from "./fixtures/fake-socket.js";
import { rejection } from "./fixtures/rejection.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("a call", () => {
  it("leaves in the same tick and resolves to what was answered", async () => {
    const socket = FakeSocket.connected();
    const call = createClient(socket).call("post_offer", 3.5);
    const sent = socket.takeOne();
    expect([sent.event, sent.args]).toEqual(["post_offer", [3.5]]);
    sent.reply({ posted: 3.5 });
    await expect(call).resolves.toEqual({ posted: 3.5 });
  });

  it.each([[undefined], [null], [false], [0], [""], [[]]])("resolves to %j as it is", async (value) => {
    const socket = FakeSocket.connected();
    const call = createClient(socket).call("ask");
    socket.takeOne().reply(value);
    await expect(call).resolves.toEqual(value);
  });

  it.each([
    ["(null, value)", [null, { placed: 1 }], { placed: 1 }],
    ["(null, null)", [null, null], null],
    ["(null)", [null], null],
    ["with a time limit of the socket's own", [null, { placed: 1 }], { placed: 1 }],
    ["with both", [null, null, { placed: 1 }], { placed: 1 }],
    ["a listener of the application's that says more than one thing", ["a", "b"], "a"],
  ])("resolves to the value where the callback is called in another form: %s", async (_, answer, value) => {
    const socket = FakeSocket.connected();
    const call = createClient(socket).call("ask");
    socket.takeOne().reply(...answer);
    await expect(call).resolves.toEqual(value);
  });

  it("goes by the name of invoke too", async () => {
    const socket = FakeSocket.connected();
    const { invoke } = createClient(socket);
    const call = invoke("ask", 1);
    socket.takeOne().reply("yes");
    await expect(call).resolves.toBe("yes");
  });

  it("rejects with the code, message, details and pause of a failure", async () => {
    const socket = FakeSocket.connected();
    const call = createClient(socket).call("ask");
    socket.takeOne().reply(failure("RATE_LIMITED", { retryAfterMs: 500 }));
    const error = await rejection(call);
    expect(error).toMatchObject({
      name: "EventFailure",
      code: "RATE_LIMITED",
      message: "refused with RATE_LIMITED",
      details: { retryAfterMs: 500 },
      retryAfterMs: 500,
      answered: true,
    });
  });

  it("is not fooled by a value that looks a little like a failure", async () => {
    const socket = FakeSocket.connected();
    const call = createClient(socket).call("ask");
    socket.takeOne().reply({ error: "none" });
    await expect(call).resolves.toEqual({ error: "none" });
  });

  it("times out after ten seconds, and a late answer changes nothing", async () => {
    const socket = FakeSocket.connected();
    const error = rejection(createClient(socket).call("ask"));
    const sent = socket.takeOne();
    await vi.advanceTimersByTimeAsync(9_999);
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(await error).toMatchObject({
      code: "TIMEOUT",
      answered: false,
      message: 'no answer to "ask" within 10000 ms',
    });
    sent.reply("late");
    await settled();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("takes the time of the client, or its own", async () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket, { timeoutMs: 100 });
    const byClient = rejection(client.call("ask"));
    const byCall = rejection(client.with({ timeoutMs: 300 }).call("ask"));
    const never = client.with({ timeoutMs: Infinity }).call("ask");
    await vi.advanceTimersByTimeAsync(100);
    expect((await byClient).code).toBe("TIMEOUT");
    await vi.advanceTimersByTimeAsync(200);
    expect((await byCall).code).toBe("TIMEOUT");
    await vi.advanceTimersByTimeAsync(10_000_000);
    socket.take()[2]?.reply("at last");
    await expect(never).resolves.toBe("at last");
  });

  it("leaves no timer behind once it is answered", async () => {
    const socket = FakeSocket.connected();
    const call = createClient(socket).call("ask");
    socket.takeOne().reply();
    await call;
    expect(vi.getTimerCount()).toBe(0);
  });

  it("rejects when the connection goes, and a call that waits goes out with the next one", async () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket);
    const cut = rejection(client.call("ask", 1));
    socket.drop();
    expect(await cut).toMatchObject({ code: "DISCONNECTED", answered: false });
    const first = client.call("ask", 2);
    const second = client.call("ask", 3);
    socket.take();
    socket.connect();
    expect(socket.sent.map(({ args }) => args)).toEqual([[2], [3]]);
    for (const { args, reply } of socket.take()) reply(args[0]);
    await expect(Promise.all([first, second])).resolves.toEqual([2, 3]);
  });

  it("that found no connection in time says that it was not sent, and is not sent later", async () => {
    const socket = new FakeSocket();
    const error = rejection(createClient(socket).call("ask"));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await error).toMatchObject({
      code: "DISCONNECTED",
      message: 'no connection within 10000 ms; "ask" was not sent',
    });
    socket.connect();
    expect(socket.sent).toEqual([]);
  });

  it.each([
    [{ code: "UNAUTHENTICATED", details: { why: "no token" } }, "UNAUTHENTICATED", true],
    [failure("UNAUTHENTICATED"), "UNAUTHENTICATED", true],
    [undefined, "DISCONNECTED", false],
    [null, "DISCONNECTED", false],
    ["x", "DISCONNECTED", false],
  ])("that waits hears why the server refused the connection: %j", async (data, code, answered) => {
    const socket = new FakeSocket();
    const error = rejection(createClient(socket).call("ask"));
    socket.push("connect_error", Object.assign(new Error("xhr poll error"), { data }));
    socket.active = false;
    socket.push("connect_error", Object.assign(new Error("please log in"), { data }));
    expect(await error).toMatchObject({ code, answered });
    expect((await error).message).not.toContain("xhr");
  });

  it("rejects with ABORTED as soon as its signal says so", async () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket);
    const controller = new AbortController();
    const error = rejection(client.with({ signal: controller.signal }).call("ask"));
    expect(socket.frames()).toEqual(["ask"]);
    controller.abort("enough");
    expect(await error).toMatchObject({ code: "ABORTED", cause: "enough", answered: false });
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is not sent when its signal had aborted before", async () => {
    const socket = FakeSocket.connected();
    const error = rejection(createClient(socket).with({ signal: AbortSignal.abort() }).call("ask"));
    expect((await error).code).toBe("ABORTED");
    expect(socket.sent).toEqual([]);
  });

  it("lets go of a signal that outlives it", async () => {
    const socket = FakeSocket.connected();
    const { signal } = new AbortController();
    const removed = vi.spyOn(signal, "removeEventListener");
    const call = createClient(socket).with({ signal }).call("ask");
    socket.takeOne().reply();
    await call;
    expect(removed).toHaveBeenCalledOnce();
  });

  it("rejects with what encoding threw", async () => {
    const socket = FakeSocket.connected();
    vi.spyOn(socket, "emit").mockImplementation(() => {
      throw new TypeError("circular");
    });
    await expect(createClient(socket).call("ask")).rejects.toThrow(TypeError);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("that finds the socket's own limit for acknowledgements shorter than its own time ends with TIMEOUT there", async () => {
    const socket = FakeSocket.connected();
    const error = rejection(createClient(socket).call("ask"));
    await settled();
    socket.takeOne().reply(new Error("operation has timed out"));
    expect(await error).toMatchObject({
      code: "TIMEOUT",
      answered: false,
      message: 'no answer to "ask" within ackTimeout',
      cause: { message: "operation has timed out" },
    });
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each([
    [{ timeoutMs: 0 }, "timeoutMs must be a number of milliseconds above 0, got 0"],
    [{ timeoutMs: Number.NaN }, "timeoutMs must be a number of milliseconds above 0, got NaN"],
    [{ retries: -1 }, "retries must be a number from 0, got -1"],
    [{ requestId: "" }, 'requestId must be 1 to 128 characters, got ""'],
    [{ requestId: "x".repeat(129) }, `requestId must be 1 to 128 characters, got "${"x".repeat(60)}"`],
    [{ timeoutMs: {} as number }, "timeoutMs must be a number of milliseconds above 0, got object"],
  ])("with wrong options throws before anything is sent: %j", (options, message) => {
    expect(() => createClient(FakeSocket.connected()).with(options)).toThrow(new TypeError(message));
  });
});

describe("a call with retries", () => {
  it("is tried again under the same request id, and either answer will do", async () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket);
    const call = client.with({ retries: 2, timeoutMs: 100 }).call("sell", 3.5);
    const first = socket.take();
    expect(first.map(({ event }) => event)).toEqual(["ingress:request", "sell"]);
    await vi.advanceTimersByTimeAsync(100);
    const second = socket.take();
    expect(second.map(({ args }) => args)).toEqual(first.map(({ args }) => args));
    expect(second.map(({ args }) => args)).toEqual([[expect.stringMatching(/^[\da-z-]{8,60}$/), "sell"], [3.5]]);
    second[1]?.reply("sold");
    await expect(call).resolves.toBe("sold");
  });

  it("waits for the connection to come back before it tries again", async () => {
    const socket = FakeSocket.connected();
    const call = createClient(socket).with({ retries: 1 }).call("sell");
    const [first] = socket.take();
    socket.drop();
    await settled();
    expect(socket.sent).toEqual([]);
    socket.connect();
    const [second, again] = socket.take();
    expect(second?.args).toEqual(first?.args);
    again?.reply("sold");
    await expect(call).resolves.toBe("sold");
  });

  it("gives up after the last try", async () => {
    const socket = FakeSocket.connected();
    const error = rejection(createClient(socket).with({ retries: 2, timeoutMs: 100 }).call("sell"));
    await vi.advanceTimersByTimeAsync(300);
    expect((await error).code).toBe("TIMEOUT");
    expect(socket.sent).toHaveLength(6);
  });

  it("takes an answer of the server as the last word, a TIMEOUT too", async () => {
    const socket = FakeSocket.connected();
    const error = rejection(createClient(socket).with({ retries: 5 }).call("sell"));
    socket.take()[1]?.reply(failure("TIMEOUT"));
    expect(await error).toMatchObject({ code: "TIMEOUT", answered: true });
    expect(socket.sent).toEqual([]);
  });

  it("is not tried again once its signal aborted", async () => {
    const socket = FakeSocket.connected();
    const controller = new AbortController();
    const error = rejection(createClient(socket).with({ retries: 5, signal: controller.signal }).call("sell"));
    controller.abort();
    expect((await error).code).toBe("ABORTED");
    expect(socket.sent).toHaveLength(2);
  });

  it("takes a request id from outside, also for a single try", async () => {
    const socket = FakeSocket.connected();
    void createClient(socket).with({ requestId: "order-7" }).call("sell", 1);
    expect(socket.frames()).toEqual(['ingress:request "order-7" "sell"', "sell 1"]);
  });
});
