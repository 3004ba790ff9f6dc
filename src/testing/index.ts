/**
 * Tests of handlers without a port, under any test runner.
 *
 * - {@link fakeServer} is Socket.IO's own server without a transport: the fastest, for unit tests of handlers.
 * - {@link fakeContext} calls one method of a handler directly.
 * - {@link inMemory} runs the whole stack, HTTP included, with clients of socket.io-client.
 * - {@link memoryCluster} joins several servers of either kind.
 *
 * Nothing here keeps time of its own, so fake timers move what your code waits for, and time limits too: vitest's and node:test's as they
 * are, jest's with `doNotFake: ["nextTick", "queueMicrotask", "setImmediate"]`, since Socket.IO and Node's streams need those to deliver a
 * packet at all; without it `connect`, `receive` and `emit` say so at once.
 *
 * @module
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { test } from "node:test";
 * import { type EventContext, type EventMap, Handler } from "socket-ingress";
 * import { fakeServer } from "socket-ingress/testing";
 *
 * class GreetHandler extends Handler {
 *   readonly name = "greet";
 *   readonly events = { greet: "handleGreet" } satisfies EventMap<GreetHandler>;
 *
 *   handleGreet({ socket }: EventContext, name: string) {
 *     socket.broadcast.emit("greeted", name);
 *     return `hello ${name}`;
 *   }
 * }
 *
 * test("a greeting is answered, and told to the others", async () => {
 *   await using io = fakeServer();
 *   await new GreetHandler().setup(io);
 *   const [ann, bob] = [await io.connect(), await io.connect()];
 *   assert.equal(await ann.receive("greet", "ann"), "hello ann");
 *   assert.deepEqual(bob.sent, [{ event: "greeted", args: ["ann"] }]);
 * });
 * ```
 */
export { contract } from "./contract.js";
export type { ContractCase } from "./contract.js";
export { fakeContext } from "./fake-context.js";
export type { FakeContext, FakeContextOptions } from "./fake-context.js";
export type { FakeRequest, LostReason } from "./fake-connection.js";
export { fakeServer } from "./fake-server.js";
export type { FakeConnectOptions, FakeServer, FakeServerMethods, FakeServerOptions } from "./fake-server.js";
export type {
  EmittedArgs,
  FakeDisconnectReason,
  FakeSocket,
  FakeSocketEvents,
  Heard,
  OwnName,
  ReceivedArgs,
  ReceivedReply,
  SentEvent,
  SentName,
} from "./fake-socket.js";
export { inMemory } from "./in-memory.js";
export type { InMemoryApp, InMemoryClient, InMemoryConnectOptions, InMemoryOptions } from "./in-memory.js";
export { Link } from "./link.js";
export type { Direction } from "./link.js";
export { memoryCluster } from "./memory-cluster.js";
export type { MemoryCluster } from "./memory-cluster.js";
export { ConnectRefused } from "./refused.js";
