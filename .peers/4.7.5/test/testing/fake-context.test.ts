import type { Server } from "socket.io";
import { expect, test } from "vitest";
import { type EventContext, type EventMap, Handler } from "socket-ingress";
import { fakeContext, fakeServer } from "socket-ingress/testing";
import { recordingLog } from "../fixtures/recording-log.js";

interface ClientToServer {
  rename(to: string, reply: (r: { was: string }) => void): void;
}
interface ServerToClient {
  renamed(to: string): void;
}
type App = Server<ClientToServer, ServerToClient, Record<string, never>, { user: string }>;

class RenameHandler extends Handler<App> {
  readonly name = "rename";
  readonly events = { rename: "handleRename" } satisfies EventMap<RenameHandler, App>;

  handleRename({ socket, log }: EventContext<App>, to: string): { was: string } {
    const was = socket.data.user;
    socket.data.user = to;
    socket.emit("renamed", to);
    log.info({ to }, "renamed");
    return { was };
  }
}

test("a method is called in one line with a fake socket's context", async () => {
  await using io = fakeServer<App>();
  const socket = await io.connect({ data: { user: "ann" } });
  expect(new RenameHandler().handleRename(fakeContext<App>({ socket }), "bob")).toEqual({ was: "ann" });
  expect(socket.server.data.user).toBe("bob");
  expect(socket.sent).toEqual([{ event: "renamed", args: ["bob"] }]);
});

test("a context takes the server's side of a socket as well", async () => {
  await using io = fakeServer<App>();
  io.of("/admin");
  const { server } = await io.connect({ namespace: "/admin" });
  const context = fakeContext<App>({ socket: server, event: "rename" });
  expect(context.socket).toBe(server);
  expect([context.event, context.namespace]).toEqual(["rename", "/admin"]);
  expect(fakeContext({ namespace: "/t-1" }).namespace).toBe("/t-1");
});

test("what a method does with its context can be seen", () => {
  const context = fakeContext();
  expect([context.event, context.namespace, context.stopped, context.signal.aborted]).toEqual([
    "test",
    "/",
    false,
    false,
  ]);
  expect([context.reply(1), context.reply(2)]).toEqual([true, false]);
  expect(context.replies).toEqual([1]);
  context.stop();
  expect(context.stopped).toBe(true);
  context.abort("late");
  expect(context.signal.reason).toBe("late");
});

test("a context without a socket says so when one is wanted", () => {
  expect(() => fakeContext().socket).toThrow(/fakeContext\(\{ socket:/);
});

test("the log is silent, or the test's own", () => {
  const log = recordingLog();
  fakeContext().log.child({}).error({}, "nobody reads this");
  fakeContext({ log }).log.info({ a: 1 }, "read");
  expect(log.lines).toMatchObject([{ level: "info", fields: { a: 1 }, message: "read" }]);
});
