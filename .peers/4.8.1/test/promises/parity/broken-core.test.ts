import { describe, expect, test, vi } from "vitest";
import { Context } from "../../../src/dispatch/context.js";
import { Traffic } from "../../../src/dispatch/flow/traffic.js";
import { NamespaceBinding } from "../../../src/socket-io/namespace-binding.js";
import { connectionBehaviour } from "./connections.js";
import { dispatchBehaviour } from "./dispatch.js";
import { environments, type Environment } from "./environment.js";
import { replyBehaviour } from "./replies.js";

// The parity suite is worth something only if it notices: with a rule of the core broken on purpose, the behaviour that promises
// it fails in every environment.
const broken: readonly { readonly rule: string; readonly behaviour: string; breakIt(): void }[] = [
  {
    rule: "stop() does nothing",
    behaviour: "stop keeps later subscribers from running",
    breakIt: () => void vi.spyOn(Context.prototype, "stop").mockImplementation(() => {}),
  },
  {
    rule: "the first value is kept for the reply instead of the last",
    behaviour: "the reply is the last value, or with reply: first the first, sent as soon as there is one",
    breakIt: () => void vi.spyOn(Context.prototype, "take").mockImplementation((value, before) => before ?? value),
  },
  {
    rule: "an error's own message is sent to the caller",
    behaviour: "any other error is INTERNAL, and nothing of it leaves the server",
    breakIt: () =>
      void vi.spyOn(Context.prototype, "fail").mockImplementation(function (this: Context, thrown) {
        this.failure ??= { error: { code: "INTERNAL", message: (thrown as Error).message } };
      }),
  },
  {
    rule: "nobody is asked before a socket is admitted",
    behaviour: "a connect subscriber that throws anything else refuses at once, with a public message",
    breakIt: () => void vi.spyOn(NamespaceBinding.prototype, "admit").mockImplementation((_socket, next) => next()),
  },
  {
    rule: "events do not wait for the connection subscribers",
    behaviour: "events that arrive while the connection subscribers run are kept in order and served afterwards",
    breakIt: () => void vi.spyOn(Traffic.prototype, "hold").mockImplementation(() => {}),
  },
  {
    rule: "an answer by hand is sent however often it is given",
    behaviour: "a caller answered twice by hand hears once",
    breakIt: () =>
      void vi.spyOn(Context.prototype, "reply").mockImplementation(function (this: Context, value) {
        this.send(value);
        return true;
      }),
  },
];

function behavioursOf(environment: Environment): Map<string, () => Promise<void>> {
  const behaviours = new Map<string, () => Promise<void>>();
  const collect = (name: string, run: () => Promise<void>): void => void behaviours.set(name, run);
  dispatchBehaviour(environment, collect);
  replyBehaviour(environment, collect);
  connectionBehaviour(environment, collect);
  return behaviours;
}

describe.each(environments)("$name", (environment) => {
  test.each(broken)("the suite notices when $rule", async ({ behaviour, breakIt }) => {
    const run = behavioursOf(environment).get(behaviour);
    if (run === undefined) throw new Error(`no behaviour is called "${behaviour}"`);
    await run();
    breakIt();
    await expect(run()).rejects.toMatchObject({ name: "AssertionError" });
  });
});
