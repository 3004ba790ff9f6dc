import { expect, it } from "vitest";
import { AllClusterMessages } from "../../src/push/cluster-messages.js";

const alone = (): AllClusterMessages => new AllClusterMessages(() => undefined);

it.each(["", 5, undefined])("a name must be one, not %j", (name) => {
  expect(() => alone().named(name as string)).toThrow(/cluster: expected a name, got /);
});

it("before there is a server nobody is told, and no answer is complete", async () => {
  const messages = alone().named("scores");
  await messages.tell("changed", { room: 1 });
  expect(await messages.ask("best")).toEqual({ answers: [], complete: false });
});

it("what can't be sent is a TypeError that names it", async () => {
  const messages = alone().named("scores");
  expect(() => messages.tell("changed", 10n)).toThrow('cluster "scores": "changed" can\'t be sent: it holds a BigInt');
  await expect(messages.ask("best", Symbol("x"))).rejects.toThrow('"best" can\'t be sent');
});

it("a kind has one listener, which must be a function, until it is undone", () => {
  const messages = alone().named("scores");
  expect(() => messages.on("best", "fn" as never)).toThrow('cluster "scores": a listener must be a function, got "fn"');
  const off = messages.on("best", () => 1);
  expect(() => messages.on("best", () => 2)).toThrow('"best" has a listener already');
  off();
  const again = messages.on("best", () => 2);
  off();
  expect(() => messages.on("best", () => 3)).toThrow("has a listener already");
  again();
});
