import { Handler, ServiceManager } from "socket-ingress";
import { Limits } from "socket-ingress/limits";
import { Notifications } from "socket-ingress/notifications";
import { QueueService } from "socket-ingress/queue";
import { Realtime } from "socket-ingress/realtime";
import { fakeServer } from "socket-ingress/testing";
import { describe, expect, it, vi } from "vitest";

type Registered = (manager: ServiceManager, realtime: Realtime) => string;

/** Each has been given a realtime door, and has clients whose user it goes by; what is returned is an event that asks for it. */
const doors: Record<string, Registered> = {
  limits(manager, realtime) {
    const limits = new Limits({ realtime });
    limits.rate({ name: "talk", events: ["say"], points: 1, durationMs: 60_000, by: "user" });
    manager.registerHandler(limits);
    return "say";
  },
  notifications(manager, realtime) {
    manager.registerHandler(new Notifications({ realtime }));
    return "notifications:page";
  },
  queue(manager, realtime) {
    const queue = new QueueService({ realtime });
    class Exports extends Handler {
      readonly name = "exports";
      readonly events = { export: queue.asSubscriber("exports") };
    }
    manager.registerService(queue).registerHandler(new Exports());
    return "export";
  },
};

describe("a realtime door that was given to another and never set up", () => {
  it.each(Object.entries(doors))(
    "is named once in the log when %s asks it whose a socket is",
    async (_name, register) => {
      await using io = fakeServer();
      const manager = new ServiceManager(io);
      const realtime = new Realtime({ user: () => "ada" });
      const warn = vi.spyOn(realtime.log, "warn").mockReturnValue();
      const event = register(manager, realtime);
      await manager.boot();
      const ada = await io.connect();
      for (const _ of [1, 2]) await ada.receive(event, { title: "x" });
      expect(warn.mock.calls).toEqual([[expect.stringContaining("realtime door that is not set up")]]);
      await manager.shutdown({ graceMs: 0 });
    },
  );

  it("is not named where it was set up, and has been torn down before those that ask it", async () => {
    await using io = fakeServer();
    const realtime = new Realtime({ user: () => "ada" });
    await realtime.setup(io);
    const ada = await io.connect();
    const warn = vi.spyOn(realtime.log, "warn").mockReturnValue();
    await realtime.teardown();
    expect(realtime.identify(ada.server)).toEqual({});
    expect(warn).not.toHaveBeenCalled();
  });
});
