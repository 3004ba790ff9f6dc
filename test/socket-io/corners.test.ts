import { EventEmitter } from "node:events";
import type { Socket } from "socket.io";
import { describe, expect, it, vi } from "vitest";
import { WebSocket } from "ws";
import { bufferedBytesOf } from "../../src/socket-io/buffered-bytes.js";
import { FarEnd } from "../../src/socket-io/far-end.js";
import { hasMoreArguments, namespaceOf } from "../../src/socket-io/frames.js";
import { TransportNamespaces } from "../../src/socket-io/transport-namespaces.js";
import { serveIngress } from "../fixtures/ingress.js";
import { RawClient } from "../fixtures/raw-client.js";

describe("a frame", () => {
  it("without a payload, or whose namespace never ends, has no arguments; what is quoted is no comma of its own", () => {
    const commas = ",".repeat(9);
    expect(hasMoreArguments(`2${commas}`, 3)).toBe(false);
    expect(hasMoreArguments(`2/${"x".repeat(20)}`, 3)).toBe(false);
    expect(hasMoreArguments(`2/room,["e","a\\"${commas}",1,{"a":[1,2,3]}]`, 3)).toBe(false);
    expect(hasMoreArguments(`2/room,["e","a\\"${commas}",1,2,3,4]`, 3)).toBe(true);
    expect(namespaceOf("0/room")).toBe("/room");
  });
});

describe("the namespaces of a transport", () => {
  const message = (data: unknown) => ({ type: "message", data });

  it("are read from what waits to be written to it, whatever else waits there", () => {
    const namespaces = new TransportNamespaces(1);
    const conn = {};
    namespaces.follow(conn);
    expect(namespaces.ask(conn, "/one")).toBeUndefined();
    // Answered, but not written yet.
    const unwritten = [message(Buffer.alloc(1)), message('2["event"]'), message("0/one,{}")];
    expect(namespaces.ask(conn, "/two", unwritten)).toContain("maxNamespaces");
    expect(namespaces.isIn(conn)).toBe(true);
    namespaces.left(conn, "/one");
    expect(namespaces.isIn(conn)).toBe(false);
    expect(namespaces.ask(conn, "/two", unwritten)).toBeUndefined();
  });

  it("are none of a transport that nobody has met", () => {
    const namespaces = new TransportNamespaces(1);
    const stranger = {};
    namespaces.left(stranger, "/");
    expect([namespaces.isIn(stranger), namespaces.ask(stranger, "/")]).toEqual([false, undefined]);
  });

  it("are told by its sockets where its frames can't be read: one socket in each, also where middleware took its time", () => {
    const namespaces = new TransportNamespaces(2);
    const conn = {};
    const socket = (connected: boolean): Socket => ({ conn, connected, nsp: { name: "/" } }) as unknown as Socket;
    const [first, second] = [socket(true), socket(true)];
    expect(namespaces.entered(first)).toBe(true);
    expect(namespaces.enter(first)).toBe(true);
    namespaces.decided(first, false);
    expect(namespaces.isIn(conn)).toBe(true);
    expect(namespaces.entered(first)).toBe(true);
    expect(namespaces.entered(second)).toBe(false);
    Object.assign(first, { connected: false });
    expect(namespaces.entered(second)).toBe(true);
    expect(namespaces.entered(second)).toBe(true);
  });
});

it("bytes that wait are those of binary data, too, and nothing of what is no data", () => {
  const bytes = [new ArrayBuffer(3), new Uint8Array(4), "five!", undefined, 6];
  const writeBuffer = bytes.map((data) => ({ data }));
  expect(bufferedBytesOf({ writeBuffer } as never)).toBe(12);
});

it("a far end takes binary data in each form, tells who has written, and nothing once it is closed", async () => {
  const heard: unknown[] = [];
  const [lost, ready, sent] = [vi.fn(), vi.fn(), vi.fn()];
  const engine = new EventEmitter();
  const conn = new FarEnd({ engine, id: "far", request: {}, remoteAddress: "::1", transport: "plain" } as never, {
    receive: (data: unknown) => void heard.push(data),
    lost,
  });
  conn.write(new Uint8Array([1]).buffer, sent);
  expect([heard, sent.mock.calls.length]).toEqual([[Buffer.from([1])], 1]);
  conn.transport.on("ready", ready);
  conn.write(5);
  conn.ready();
  conn.abandon("gone");
  await new Promise(process.nextTick);
  expect([heard.length, ready.mock.calls.length, lost.mock.calls]).toEqual([1, 0, [["transport error"]]]);
});

it("a client of version 2 is in the main namespace by itself, and its others count", async () => {
  await using app = await serveIngress({ maxNamespaces: 2 }, { allowEIO3: true });
  for (const name of ["/one", "/two"]) app.io.of(name);
  const socket = new WebSocket(`${app.url.replace("http", "ws")}/socket.io/?EIO=3&transport=websocket`);
  const frames: string[] = [];
  socket.on("message", (data) => frames.push(String(data)));
  const closed = new Promise((resolve) => socket.once("close", resolve));
  await vi.waitFor(() => expect(frames).toContain("40"));
  socket.send("40/one?token=abc");
  await vi.waitFor(() => expect(frames.at(-1)).toMatch(/^40\/one/));
  socket.send("40/two");
  await closed;
  expect(app.io.of("/two").sockets.size).toBe(0);
});

it("a subscriber to `disconnecting` that goes in the same turn hears nothing", async () => {
  await using app = await serveIngress();
  const heard = vi.fn();
  const off = app.ingress.subscribe("disconnecting", heard);
  await using client = await RawClient.connect(app.url);
  const [socket] = app.io.sockets.sockets.values();
  socket!.prependListener("disconnecting", () => off());
  client.terminate();
  await vi.waitFor(() => expect(socket!.connected).toBe(false));
  expect(heard).not.toHaveBeenCalled();
});
