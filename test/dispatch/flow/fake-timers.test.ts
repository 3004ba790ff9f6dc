import { afterEach, describe, expect, it, vi } from "vitest";
import { SocketIngress } from "socket-ingress";
import { codeOf } from "../../fixtures/ingress.js";
import { deferred } from "../../fixtures/deferred.js";
import { recordingLog } from "../../fixtures/recording-log.js";

describe("time limits under fake timers that leave the clock alone", () => {
  afterEach(() => vi.useRealTimers());

  it("fire when the timers are advanced, for what still runs, and leave no timer for what has ended", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const ingress = new SocketIngress({ logger: recordingLog(), timeoutMs: 30_000 });
    const gates = [deferred<string>(), deferred<string>()];
    let next = 0;
    ingress.subscribe("work", () => gates[next++]?.promise);
    const [first, second] = [ingress.dispatch("work"), ingress.dispatch("work")];
    gates[0]?.resolve("done");
    expect(await first).toBe("done");
    await vi.advanceTimersByTimeAsync(29_999);
    const early = await Promise.race([second, Promise.resolve("still running")]);
    expect(early).toBe("still running");
    await vi.advanceTimersByTimeAsync(1);
    expect(codeOf(await second)).toBe("TIMEOUT");
    gates[1]?.resolve("too late");
    await ingress.detach();
  });

  it("an infinite one never does", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const ingress = new SocketIngress({ logger: recordingLog(), timeoutMs: Infinity });
    const gate = deferred<string>();
    ingress.subscribe("work", () => gate.promise);
    const reply = ingress.dispatch("work");
    await vi.advanceTimersByTimeAsync(1e9);
    gate.resolve("done");
    expect(await reply).toBe("done");
  });
});
