/** Feathers 5: one service per event, called as `socket.emit("create", service, payload, callback)`; hooks wrap and validate. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { feathers, type HookContext, type NextFunction } from "@feathersjs/feathers";
import { FeathersError } from "@feathersjs/errors";
import socketio from "@feathersjs/socketio";
import type { Server } from "socket.io";
import { z } from "zod";

import {
  connectFaults,
  errorHookFaults,
  faults,
  interceptorFaults,
  schemaFaults,
  secret,
  slowConnect,
  type Tools,
} from "../../../test/adversarial/faults.ts";
import { delays, report, slowly } from "../../../test/adversarial/host.ts";

const refuse: NonNullable<Tools["refuse"]> = (code, message, details) => {
  throw new FeathersError(message, code, 400, code.toLowerCase(), details as object);
};

const app = feathers() as any;
let io: Server | undefined;
app.configure(
  (socketio as unknown as { default?: typeof socketio }).default?.((server: Server) => configure(server)) ??
    (socketio as (configure: (server: Server) => void) => unknown)((server) => configure(server)),
);

function configure(server: Server): void {
  io = server;
  for (const { id, run } of connectFaults) {
    server.of(`/connect-${id}`).use(async (_socket, next) => {
      if ((await run({ ...delays, refuse })) === false) next(new Error("refused"));
      else next();
    });
  }
  server.of("/connect-slow").use((_socket, next) => void slowConnect({ slowly }).then(() => next()));
}

type Run = (payload: unknown) => unknown;

function service(event: string, create: Run, hooks?: unknown): void {
  const name = event.replaceAll(":", "-");
  app.use(name, { create });
  if (hooks) app.service(name).hooks(hooks);
}

service("honest", (n) => Promise.resolve({ ok: (n as number) + 1 }));
service("echo", (payload) => Promise.resolve(payload));
service("slow", async (payload) => {
  await slowly((payload as { ms: number }).ms);
  return "slow";
});
for (const fault of faults) {
  if (fault.needs === "reply") continue;
  const run = (payload: unknown): unknown => fault.run({ ...delays, payload, refuse });
  service(`fault:${fault.id}`, fault.async ? async (payload) => run(payload) : run);
}

const text = z.object({ text: z.string().max(1_000), n: z.number() }).strict();
const validating = (validate: (value: unknown) => unknown) => ({
  before: {
    create: [
      async (context: HookContext) => {
        const result = (await validate(context.data)) as { value?: unknown; issues?: unknown };
        if (result.issues)
          throw new FeathersError("invalid", "BadRequest", 400, "bad-request", { issues: result.issues } as object);
        context.data = result.value;
      },
    ],
  },
});
service(
  "typed",
  (payload) => Promise.resolve({ said: (payload as { text: string }).text }),
  validating((value) => {
    const parsed = text.safeParse(value);
    return parsed.success ? { value: parsed.data } : { issues: parsed.error.issues };
  }),
);
for (const { id, validate } of schemaFaults) {
  service(
    `check:${id}`,
    (payload) => Promise.resolve(payload),
    validating((value) => validate(value, { ...delays })),
  );
}
for (const { id, inside, run } of interceptorFaults) {
  service(`wrap:${id}`, async () => (inside ? inside() : "inside"), {
    around: {
      create: [
        async (context: HookContext, next: NextFunction) => {
          const result = await run(
            async () => {
              await next();
              return context.result as unknown;
            },
            { ...delays },
          );
          context.result = result;
        },
      ],
    },
  });
}
for (const { id, run } of errorHookFaults) {
  service(
    `hook:${id}`,
    async () => {
      throw new Error(secret);
    },
    { error: { create: [() => run({ ...delays })] } },
  );
}

const http = createServer();
await app.setup(http);
http.listen(0, "127.0.0.1", () => {
  report(
    {
      port: (http.address() as AddressInfo).port,
      dialect: "feathers",
      abilities: ["refuse", "interceptor", "connect", "schema", "typed", "error-hook", "shutdown"],
    },
    {
      shutdown: async () => {
        await app.teardown(http);
        await io?.close();
      },
    },
  );
});
