import { expect, it } from "vitest";
import { othersInGroup, Realtime, user } from "socket-ingress/realtime";
import { open } from "./door.js";

it("what is called wrongly says what was expected, at once, and sends nothing", async () => {
  await using door = await open();
  const { realtime } = door;
  const client = await door.enter({ user: "ann" });
  const context = { socket: undefined } as never;
  const mistakes: [wrong: () => unknown, message: RegExp][] = [
    [() => new Realtime(null as never), /Realtime: expected options, got null/],
    [() => realtime.notify(context, user("ann"), 1), /notify: expected the context of an event first/],
    [() => realtime.sendTo(user("ann"), 1, { event: "" }), /event must be a non-empty string, got ""/],
    [() => realtime.sendTo(user("ann"), 1, { event: 5 as never }), /event must be a non-empty string, got 5/],
    [() => realtime.emitSocket("e", (() => 1) as never), /expected data, got a function/],
    [() => realtime.revoke(undefined as never), /revoke: expected the id of a user/],
    [() => realtime.revoke("ann", ""), /revoke: expected the name of a topic/],
    [() => realtime.watchForDropout("ann", 5 as never, 1), /watchForDropout: expected a function, got 5/],
    [() => realtime.watchForDropout("ann", () => 1, -1), /watchForDropout: expected milliseconds from 0, got -1/],
    [() => othersInGroup(context), /recipients: expected the context of an event/],
  ];
  for (const [wrong, message] of mistakes) {
    let thrown: unknown;
    try {
      // Some of them are promises, whose caller hears of the mistake as a rejection.
      await wrong();
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(TypeError);
    expect((thrown as Error).message).toMatch(message);
  }
  await client.caughtUp();
  expect(client.events).toEqual([]);
});
