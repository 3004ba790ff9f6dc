/** zod-sockets: actions with an input and an output schema; what the handler returns is the acknowledgement. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { Server } from "socket.io";
import { ActionsFactory, attachSockets, type Config, createSimpleConfig } from "zod-sockets";
import { z } from "zod";

import {
  connectionFaults,
  disconnectFaults,
  errorHookFaults,
  faults,
  schemaFaults,
  secret,
  type Tools,
} from "../../../test/adversarial/faults.ts";
import { delays, report, slowly } from "../../../test/adversarial/host.ts";

const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const hooks = new Map<string | undefined, () => unknown>(
  errorHookFaults.map(({ id, run }) => [`hook:${id}`, () => run({ ...delays })]),
);
let config: Config = createSimpleConfig({
  startupLogo: false,
  hooks: { onError: ({ event }) => hooks.get(event)?.() as Promise<void> },
});
for (const { id, run } of connectionFaults) {
  config = config.addNamespace({
    path: `connection-${id}`,
    hooks: { onConnection: () => run({ ...delays }) as Promise<void> },
  }) as Config;
}
for (const { id, run } of disconnectFaults) {
  config = config.addNamespace({
    path: `disconnect-${id}`,
    hooks: { onDisconnect: () => run({ ...delays }) as Promise<void> },
  }) as Config;
}

const factory = new ActionsFactory(config);
const anything = z.tuple([z.any()]).rest(z.any());
const answer = z.tuple([z.any()]);

const handler = (run: (payload: unknown) => unknown) => async (options: { input: readonly unknown[] }) => {
  return [await run(options.input[0])] as [unknown];
};

const action = (event: string, run: (payload: unknown) => unknown, ns?: string) =>
  factory.build({
    event,
    input: anything,
    output: answer,
    handler: handler(run),
    ...(ns !== undefined && { ns }),
  } as never);

const validated = (event: string, schema: z.ZodTypeAny, run: (payload: never) => unknown) =>
  factory.build({ event, input: z.tuple([schema]), output: answer, handler: handler(run as never) } as never);

const text = z.object({ text: z.string().max(1_000), n: z.number() }).strict();

const actions = [
  action("honest", (n) => ({ ok: (n as number) + 1 })),
  action("echo", (payload) => payload),
  action("slow", async (payload) => {
    await slowly((payload as { ms: number }).ms);
    return "slow";
  }),
  validated("typed", text, (payload: { text: string }) => ({ said: payload.text })),
  ...faults
    .filter(({ needs }) => needs === undefined)
    .map((fault) => {
      const run = (payload: unknown): unknown => fault.run({ ...delays, payload } satisfies Tools);
      // An answer that is no promise is returned as it is, inside the array the library asks for.
      if (fault.async || fault.id.startsWith("thenable-")) return action(`fault:${fault.id}`, run);
      return factory.build({
        event: `fault:${fault.id}`,
        input: anything,
        output: answer,
        handler: async ({ input }: { input: readonly unknown[] }) => [run(input[0])] as [unknown],
      } as never);
    }),
  ...schemaFaults.map(({ id, validate }) =>
    validated(
      `check:${id}`,
      z.any().superRefine((value, context) => {
        const result = validate(value, { ...delays }) as { issues?: readonly { message: string }[] };
        for (const { message } of result.issues ?? []) context.addIssue({ code: "custom", message });
      }),
      (payload) => payload,
    ),
  ),
  ...errorHookFaults.map(({ id }) =>
    action(`hook:${id}`, () => {
      throw new Error(secret);
    }),
  ),
  ...connectionFaults.map(({ id }) => action("honest", (n) => ({ ok: (n as number) + 1 }), `connection-${id}`)),
];

const http = createServer();
const io = new Server();
await attachSockets({ io, config, actions: actions as never, target: http, logger: quiet as never });

http.listen(0, "127.0.0.1", () => {
  report(
    {
      port: (http.address() as AddressInfo).port,
      dialect: "plain",
      abilities: ["connection", "disconnect", "schema", "typed", "error-hook", "shutdown"],
    },
    { shutdown: () => io.close() },
  );
});
