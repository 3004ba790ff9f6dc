/**
 * Socket.IO serves packets in `process.nextTick`. Fake timers that replace it, as jest's do by default, would leave whoever waits for one
 * waiting for ever, so it is said at once.
 *
 * @throws Error naming who asks, and what to write instead
 */
export function checkTicks(what: string): void {
  // @sinonjs/fake-timers, which jest and vitest use, marks what it replaces.
  if (!("clock" in process.nextTick)) return;
  throw new Error(
    `${what}: fake timers have replaced process.nextTick, and Socket.IO delivers nothing without it; write jest.useFakeTimers({ doNotFake: ["nextTick", "queueMicrotask"] }), or leave nextTick out of toFake under vitest`,
  );
}
