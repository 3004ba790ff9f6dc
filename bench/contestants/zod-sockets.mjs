/** zod-sockets: an action per subscriber, always validated (that is what it is for), input and output as zod 3 tuples. */
import { createServer } from "node:http";
import { Server } from "socket.io";
import { z } from "zod";
import { ActionsFactory, attachSockets, createSimpleConfig } from "zod-sockets";
import { counted, payloadSchema, replyTo, serverOptions } from "../load/workload.mjs";

const schema = payloadSchema(z);
const output = z.tuple([z.object({ ok: z.literal(true), id: z.number() })]);
const quiet = { debug() {}, info() {}, warn() {}, error() {} };

/** Starts the server and resolves to its port. */
export async function start({ events, more = [] }) {
  const config = createSimpleConfig();
  const factory = new ActionsFactory(config);
  const actions = [];
  for (const { name, kind, subscribers } of events) {
    // an action without an output gets the acknowledgement as a further argument, which `rest` lets through
    for (let i = 1; i < subscribers; i++) {
      const input = z.tuple([schema]).rest(z.unknown());
      actions.push(factory.build({ event: name, input, handler: async () => void counted.runs++ }));
    }
    const handler =
      kind === "async"
        ? async ({ input }) => (await counted.runs++, [replyTo(input[0])])
        : async ({ input }) => [replyTo(input[0])];
    actions.push(factory.build({ event: name, input: z.tuple([schema]), output, handler }));
  }
  for (const event of more) {
    actions.push(
      factory.build({ event, input: z.tuple([schema]), output, handler: async ({ input }) => [replyTo(input[0])] }),
    );
  }
  const target = createServer();
  await new Promise((resolve) => target.listen(0, resolve));
  await attachSockets({ io: new Server(serverOptions), config, actions, target, logger: quiet, startupLogo: false });
  return { port: target.address().port };
}
