import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import fc from "fast-check";
import { Server } from "socket.io";
import { EventError, SocketIngress, isFailure, type EventContext, type Logger } from "socket-ingress";
import { afterAll, beforeAll, expect, test } from "vitest";

import { secret } from "../faults.js";
import { RawClient } from "../../fixtures/raw-client.js";

const silent: Logger = {
  trace: () => undefined,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  fatal: () => undefined,
  child: () => silent,
};

const reserved = new Set([
  "connect",
  "connection",
  "connect_error",
  "disconnect",
  "disconnecting",
  "error",
  "newListener",
  "removeListener",
]);

/** Names a client may send and a server may listen to, the treacherous ones more often than chance would have it. */
const names = fc
  .oneof(
    fc.string({ minLength: 1 }),
    fc.string({ minLength: 1, unit: "binary" }),
    fc.constantFrom("__proto__", "constructor", "toString", "hasOwnProperty", "then", "prototype", "0", "*", "message"),
  )
  .filter((name) => name.trim() !== "" && !reserved.has(name));

const values = fc.anything({
  withBigInt: true,
  withDate: true,
  withMap: true,
  withSet: true,
  withTypedArray: true,
  withNullPrototype: true,
});

const json = fc.jsonValue({ maxDepth: 4 });

test("property: whatever its name, an event nobody listens to is answered UNKNOWN_EVENT", async () => {
  await fc.assert(
    fc.asyncProperty(fc.string(), fc.array(values, { maxLength: 4 }), async (name, args) => {
      const ingress = new SocketIngress({ logger: silent });
      expect(await ingress.dispatch(name, {}, ...args)).toMatchObject({ error: { code: "UNKNOWN_EVENT" } });
    }),
  );
});

test("property: whatever its name, an event runs its own subscriber once and no other's", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(names, { minLength: 2, maxLength: 5 }), async (several) => {
      const ingress = new SocketIngress({ logger: silent });
      const ran: string[] = [];
      for (const name of several) ingress.subscribe(name, () => void ran.push(name));
      for (const name of several) await ingress.dispatch(name, {});
      expect(ran).toEqual(several);
    }),
  );
});

test("property: a subscriber gets the context first and then the client's arguments, however many", async () => {
  await fc.assert(
    fc.asyncProperty(names, fc.array(values, { maxLength: 6 }), async (name, args) => {
      const ingress = new SocketIngress({ logger: silent });
      let seen: unknown[] = [];
      ingress.subscribe(name, (context: EventContext, ...rest: unknown[]) => {
        seen = [context.event, ...rest];
        return true;
      });
      expect(await ingress.dispatch(name, {}, ...args)).toBe(true);
      expect(seen).toHaveLength(args.length + 1);
      expect(seen[0]).toBe(name);
      for (const [index, arg] of args.entries()) expect(Object.is(seen[index + 1], arg)).toBe(true);
    }),
  );
});

test("property: whatever is thrown or rejected, the reply is INTERNAL with one and the same message", async () => {
  const messages = new Set<string>();
  await fc.assert(
    fc.asyncProperty(values, fc.boolean(), async (thrown, isAsync) => {
      const ingress = new SocketIngress({ logger: silent });
      ingress.subscribe("boom", () => {
        const reason = typeof thrown === "string" ? thrown + secret : thrown;
        if (isAsync) return new Promise((_resolve, reject) => reject(reason));
        throw reason;
      });
      const reply = await ingress.dispatch("boom", {});
      if (!isFailure(reply)) throw new Error(`no failure but ${String(reply)}`);
      expect(reply.error.code).toBe("INTERNAL");
      expect("details" in reply.error).toBe(false);
      messages.add(reply.error.message);
    }),
  );
  expect(messages.size).toBe(1);
  expect([...messages][0]).not.toContain(secret);
});

test("property: the reply is the last value that is not undefined, else the first failure", async () => {
  const acts = fc.array(
    fc.oneof(
      fc.record({
        kind: fc.constant("value" as const),
        value: fc.oneof(json, fc.constant(undefined)),
        later: fc.boolean(),
      }),
      fc.record({
        kind: fc.constant("failure" as const),
        code: fc.constantFrom("NOT_FOUND", "CONFLICT", "MINE"),
        later: fc.boolean(),
      }),
    ),
    { minLength: 1, maxLength: 6 },
  );
  await fc.assert(
    fc.asyncProperty(acts, async (all) => {
      const ingress = new SocketIngress({ logger: silent });
      for (const act of all) {
        const run = (): unknown => {
          if (act.kind === "failure") throw new EventError(act.code, "no");
          return act.value;
        };
        ingress.subscribe("ask", act.later ? async () => run() : run);
      }
      const reply = await ingress.dispatch("ask", {});
      const said = all.flatMap((act) => (act.kind === "value" && act.value !== undefined ? [act.value] : []));
      const failed = all.flatMap((act) => (act.kind === "failure" ? [act.code] : []));
      if (said.length > 0) expect(reply).toEqual(said.at(-1));
      else if (failed.length > 0) expect(reply).toMatchObject({ error: { code: failed[0] } });
      else expect(reply).toBeUndefined();
    }),
  );
});

let client: RawClient;
let close: () => Promise<void>;

beforeAll(async () => {
  const http = createServer();
  const io = new Server(http);
  const ingress = new SocketIngress({ logger: silent }).attach(io);
  ingress.subscribe("arguments", (_context: EventContext, ...args: unknown[]) => ({ count: args.length, args }));
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  client = await RawClient.connect(`http://127.0.0.1:${(http.address() as AddressInfo).port}`);
  close = async () => {
    await client[Symbol.asyncDispose]();
    await ingress.detach();
    await io.close();
  };
});

afterAll(async () => close());

test("property: over a real socket the acknowledgement is never among the arguments, wherever one might be expected", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(json, { maxLength: 6 }), async (args) => {
      const sent = JSON.parse(JSON.stringify(args)) as unknown[];
      expect(await client.call(["arguments", ...sent])).toEqual([{ count: sent.length, args: sent }]);
    }),
  );
});

test("property: over a real socket every unknown name is answered once, and the connection stays", async () => {
  const anyName = fc.oneof(
    fc.string(),
    fc.string({ unit: "binary" }),
    fc.constantFrom("__proto__", "error", "connection", ""),
  );
  await fc.assert(
    fc.asyncProperty(fc.oneof(anyName, fc.integer()), fc.array(json, { maxLength: 3 }), async (name, args) => {
      fc.pre(typeof name === "number" || name === "error" || name === "connection" || !reserved.has(name));
      fc.pre(name !== "arguments");
      const id = client.freshId();
      const [reply] = await client.call([name, ...args], { id });
      expect(isFailure(reply)).toBe(true);
      expect(client.repliesTo(id)).toHaveLength(1);
    }),
  );
});
