import { once } from "node:events";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { type AddressInfo, createServer as createTcpServer, type Server } from "node:net";
import { join } from "node:path";
import { Server as SocketIoServer } from "socket.io";
import { ServiceManager } from "socket-ingress";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findManager } from "../../src/cli/find-manager.js";
import { stopListening } from "../../src/cli/no-listening.js";
import { placesBy } from "../../src/cli/place-of.js";
import { recordingLog } from "../fixtures/recording-log.js";
import { deferred } from "../fixtures/deferred.js";

describe("a server that is told to listen where nothing listens", () => {
  let undo: () => void;
  beforeEach(() => (undo = stopListening()));
  afterEach(() => undo());

  it.for([
    ["a port", [3000], { port: 3000, family: "IPv6" }],
    ["a port and a host", [3000, "127.0.0.1"], { port: 3000, address: "127.0.0.1", family: "IPv4" }],
    ["options", [{ port: 80, host: "::1" }], { port: 80, address: "::1", family: "IPv6" }],
    ["nothing", [], { port: 0 }],
  ] as const)("at %s says that it does", async ([, args, address]) => {
    const server = createServer();
    const called = deferred();
    const listening = once(server, "listening");
    // Overloads can't be chosen by a list.
    const listen = server.listen.bind(server) as (...all: unknown[]) => Server;
    expect(listen(...args, () => called.resolve())).toBe(server);
    await Promise.all([listening, called.promise]);
    expect(server.listening).toBe(true);
    expect(server.address()).toMatchObject(address);
    const closed = once(server, "close");
    const over = deferred();
    server.close(() => over.resolve());
    await Promise.all([closed, over.promise]);
    expect([server.listening, server.address()]).toEqual([false, null]);
  });

  it("at a path has that for an address, and Socket.IO is none the wiser", async () => {
    const server = createTcpServer().listen("some.sock");
    expect(server.address()).toBe("some.sock");
    server.close();
    const io = new SocketIoServer(8080);
    await io.close();
  });

  it("listens again when that is over", async () => {
    undo();
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    expect((server.address() as AddressInfo).port).toBeGreaterThan(0);
    const closed = once(server, "close");
    server.close();
    await closed;
  });
});

describe("where a function is written", () => {
  const place = placesBy(() => false);

  it("is told of methods, arrows and what was bound", () => {
    const file = join(import.meta.dirname, "fixtures", "places.cjs");
    const { method, arrow, bound } = createRequire(import.meta.url)(file) as Record<string, () => void>;
    expect(place(method ?? Math.max)).toEqual({ file, line: 2 });
    expect(place(arrow ?? Math.max)).toEqual({ file, line: 6 });
    expect(place(bound ?? Math.max)).toEqual({ file, line: 6 });
  });

  it("is not told of what is native, or nobody's handler", () => {
    expect(place(Math.max)).toBeUndefined();
    expect(placesBy((file) => file === import.meta.filename)(() => 1)).toBeUndefined();
  });
});

describe("the manager of a module", () => {
  const make = () => new ServiceManager(undefined, { logger: recordingLog() });
  const [one, two] = [make(), make()];
  const find = (module: object, { name, made = [] }: { name?: string; made?: readonly object[] } = {}) =>
    findManager(module, name, new Set(made), Promise.resolve());

  it.for([
    ["the default export", { default: one, other: two }, {}],
    ["what a default function makes", { default: async () => one, other: two }, {}],
    ["the one export that is a manager, whatever its name", { app: one, port: 1 }, {}],
    ["a member of what a CommonJS module exports", { default: { app: one } }, {}],
    ["what makeManager makes, among other functions", { makeManager: () => one, listen: () => two }, {}],
    ["what the only function makes, classes being none", { create: () => one, Handler: class {} }, {}],
    ["the export that is named", { one, two }, { name: "one" }],
    ["the one that was made", {}, { made: [one] }],
  ] as const)("is %s", async ([, module, options]) => {
    expect(await find(module, options)).toBe(one);
  });

  it.for([
    ["has several", { one, two }, {}, "it exports several managers, one, two: say which, as in --export one"],
    ["makes several", {}, { made: [one, two] }, "it made 2 managers and exports none: export the one that is meant"],
    [
      "has none",
      {},
      {},
      "it exports no ServiceManager and no function that makes one, and none was made while it was loaded; it exports nothing",
    ],
    [
      "names what is none",
      { port: 1 },
      { name: "port" },
      'its export "port" is 1; a ServiceManager was expected, or a function that makes one',
    ],
    [
      "makes something else",
      { makeManager: () => [] },
      {},
      'its export "makeManager" made an array; a ServiceManager was expected',
    ],
  ] as const)("that %s is told what there is instead", async ([, module, options, message]) => {
    await expect(find(module, options)).rejects.toThrow(message);
  });

  it("that is booting is waited for", async () => {
    const manager = make();
    const booting = manager.boot();
    await find({ manager });
    expect(manager.health().status).toBe("ok");
    await booting;
    await manager.shutdown();
  });
});
