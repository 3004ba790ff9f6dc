import { ServerResponse } from "node:http";
import { afterEach, expect, it, vi } from "vitest";
import { openPlain } from "./plain-door.js";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

afterEach(() => vi.useRealTimers());

it("a client that does not read what it missed is looked at less and less often, and is told the rest when it reads", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
  await using plain = await openPlain({ maxBufferedBytes: 300_000, heartbeatMs: Infinity });
  const { realtime, ingress, served } = plain.door;
  let looks = 0;
  served.httpServer.on("request", (_request, response: ServerResponse) => {
    const get = (): number => {
      looks++;
      return Reflect.get(ServerResponse.prototype, "writableLength", response);
    };
    Object.defineProperty(response, "writableLength", { get });
  });
  const before = await plain.stream("?topic=author");
  await before.until(() => before.lastId !== undefined);
  before.close();
  await before.ended;
  const filling = "x".repeat(100_000);
  for (let n = 1; n <= 200; n++) await realtime.emitSocket("change", { id: String(n), filling }, { topic: "author" });
  await using back = await plain.stream("?topic=author", { lastId: before.lastId });
  back.pause();
  const [socket] = served.io.sockets.sockets.values();
  // Until the operating system takes no more.
  for (let [still, last] = [0, 0]; still < 30;) {
    vi.advanceTimersByTime(5_000);
    await turn();
    const now = ingress.bufferedBytes(socket!);
    still = now > 0 && now === last ? still + 1 : 0;
    last = now;
  }
  looks = 0;
  vi.advanceTimersByTime(60_000);
  expect(looks).toBeGreaterThan(0);
  expect(looks).toBeLessThan(200);
  back.resume();
  while (back.got("change").length < 200) {
    vi.advanceTimersByTime(5_000);
    await turn();
  }
  expect(back.got("change").map(({ id }) => Number(id))).toEqual(Array.from({ length: 200 }, (_, i) => i + 1));
}, 60_000);
