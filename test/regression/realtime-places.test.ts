import { Adapter } from "socket.io-adapter";
import { describe, expect, it } from "vitest";
import { group } from "socket-ingress/realtime";
import { open } from "../features/realtime/door.js";
import { unhandledDuring } from "../fixtures/unhandled.js";

/** An adapter of several nodes that can't reach the others. */
class Unreachable extends Adapter {
  override addSockets(): void {
    return Promise.reject(new Error("the others can't be reached")) as never;
  }
  override delSockets(): void {
    return Promise.reject(new Error("the others can't be reached")) as never;
  }
}

describe("who is enrolled while the adapter can't reach the other nodes", () => {
  it("is a member here; the failure is logged, and no unhandled rejection", async () => {
    const seen = await unhandledDuring(async () => {
      await using door = await open({ server: { adapter: Unreachable } });
      const ada = await door.enter({ user: "ada" });
      await door.realtime.groups.enroll(group("g"), "ada");
      await door.realtime.sendTo(group("g"), 1);
      await ada.caughtUp();
      expect(ada.got("ingress:notify")).toEqual([{ data: 1 }]);
      await door.realtime.groups.withdraw(group("g"), "ada");
      await door.realtime.sendTo(group("g"), 2);
      await ada.caughtUp();
      expect(ada.got("ingress:notify")).toHaveLength(1);
      expect(door.log.lines.filter(({ level }) => level === "error")).toHaveLength(2);
    });
    expect(seen).toEqual([]);
  });
});
