import { createServer } from "node:http";
import { Server } from "socket.io";
import { describe, expect, it, vi } from "vitest";
import * as Y from "yjs";
import { ServiceManager } from "socket-ingress";
import { createClient } from "socket-ingress/client";
import { Collab } from "socket-ingress/collab";
import { openDocument } from "socket-ingress/collab/client";
import { Realtime } from "socket-ingress/realtime";
import { fakeServer, inMemory } from "socket-ingress/testing";
import { recordingLog } from "../../fixtures/recording-log.js";
import { openStage, quiet } from "./stage.js";

describe("a mistake in wiring documents", () => {
  const realtime = new Realtime();
  it.each([
    [() => new Collab({} as never), /Collab: realtime must be a Realtime, got undefined/],
    [() => new Collab({ realtime: {} as never }), /Collab: realtime must be a Realtime, got an object/],
    [() => new Collab({ realtime, store: 7 as never }), /Collab: store must be a DocumentStore, with methods load and/],
    [() => new Collab({ realtime, store: { load: () => 1 } as never }), /store must be a DocumentStore/],
    [
      () => new Collab({ realtime, store: { load: () => 1, append: () => 1, compact: 1 } as never }),
      /store must be a DocumentStore/,
    ],
    [() => new Collab({ realtime, yjs: 7 as never }), /Collab: yjs must be the module yjs, got 7/],
    [() => new Collab({ realtime, yjs: {} as never }), /Collab: yjs must be the module yjs, got an object/],
    [() => new Collab({ realtime, yjs: { Doc: Y.Doc } as never }), /Collab: yjs must be the module yjs, got an object/],
    [() => new Collab({ realtime, user: "ada" as never }), /Collab: user must be a function, got "ada"/],
    [
      () => new Collab({ realtime }).define("doc:{id}", "write" as never),
      /Collab: the policy of "doc:\{id\}" must be a function, got "write"/,
    ],
  ])("is a TypeError at once that says what fits: %#", (make, message) => {
    expect(make).toThrow(message);
    expect(make).toThrow(TypeError);
  });

  it("is a TypeError of edit and read: a document that nobody defined, or no function", async () => {
    await using stage = await openStage();
    expect(() => stage.collab.edit(7 as never, () => undefined)).toThrow(
      "Collab.edit: expected a document that was defined, got 7",
    );
    expect(() => stage.collab.read("doc:1", "text" as never)).toThrow('Collab.read: expected a function, got "text"');
  });

  it("is an Error at setup: a second Collab on one Realtime, which would refuse what the first one takes", async () => {
    const realtime = new Realtime();
    const io = fakeServer();
    await using manager = new ServiceManager(io, { logger: recordingLog() });
    const [first, second] = [new Collab({ realtime }), new Collab({ realtime })];
    manager.registerHandler(realtime).registerHandler(first);
    await manager.boot();
    await expect(second.setup(io)).rejects.toThrow("the namespace / has a Collab already");
    await first.teardown();
    await second.setup(io);
    await expect(first.setup(io)).rejects.toThrow("the namespace / has a Collab already");
    await second.teardown();
  });

  it("is told to the operator and to clients where changes are to be larger than what reaches the server", async () => {
    const maxHttpBufferSize = 40_000;
    await using stage = await openStage({ server: { maxHttpBufferSize }, maxUpdateBytes: 100_000, autosaveMs: 10 });
    expect(stage.door.log.lines).toContainEqual(
      expect.objectContaining({
        message: expect.stringContaining("maxUpdateBytes is more than the server's") as string,
      }),
    );
    for (const transports of [["websocket"], ["polling"]] as const) {
      const refused: unknown[] = [];
      const { client, entered } = await stage.enter({ user: "ann" }, { transports: [...transports] });
      const note = openDocument(client, "doc:42", {
        onRefused: ({ code, details }) => refused.push({ code, details }),
      });
      await note.ready;
      note.doc.getText("t").insert(0, "x".repeat(30_100));
      await vi.waitFor(() => expect(refused).toHaveLength(1));
      expect(refused).toEqual([{ code: "INVALID_INPUT", details: { maxUpdateBytes: 29_952 } }]);
      // By itself: beside anything else in one request it is more than a client that polls takes it for.
      await vi.waitFor(() => expect([note.status, note.saving]).toEqual(["live", "saved"]));
      note.doc.getText("t").insert(0, "y".repeat(29_900));
      await vi.waitFor(() => expect(note.saving).toBe("saved"));
      expect(entered.socket.connected).toBe(true);
      note.close();
    }
    expect(await stage.text()).toBe("y".repeat(59_800));
  });

  it("is told to the operator where a policy says something else than it may, and lets nobody in", async () => {
    for (const [said, got] of [
      [true, "true"],
      [undefined, "undefined"],
    ] as const) {
      await using stage = await openStage({ policy: () => said as never });
      const { client } = await stage.enter({ user: "ann" });
      const note = openDocument(client, "doc:42");
      await expect(note.ready).rejects.toMatchObject({ code: "FORBIDDEN" });
      expect(note.status).toBe("lost");
      expect(stage.door.log.lines.map(({ message }) => message)).toContain(
        `Collab: the policy of "doc:{id}" must say "write", "read" or false, got ${got}`,
      );
    }
  });

  it("is a TypeError with a sentence where a store of one's own gives something else than what it has", async () => {
    const given: unknown[] = [undefined, [], { updates: undefined }, { updates: ["AAA="] }];
    const store = { load: () => given.shift() as never, append: () => undefined };
    await using stage = await openStage({ store });
    const read = (): Promise<unknown> => stage.collab.read("doc:42", () => undefined);
    const fits = 'Collab: the store\'s load("doc:42") must give { updates, upTo }, updates a list of Uint8Array';
    for (const got of ["undefined", "an array", "updates that are undefined", "updates that are an array"]) {
      const error = (await read().catch((thrown: unknown) => thrown)) as Error;
      expect(error).toBeInstanceOf(TypeError);
      expect(error.message).toContain(fits);
      expect(error.message).toMatch(new RegExp(`; got ${got}$`));
    }
  });
});

describe("documents without a server", () => {
  it("say so, and have nothing to save", async () => {
    const collab = new Collab({ realtime: new Realtime() });
    collab.define("doc:{id}", () => "write");
    await expect(collab.edit("doc:1", () => undefined)).rejects.toThrow("Collab: it is not set up with a server");
    await collab.flush();
    expect(collab.describe()).toEqual([]);
  });

  it("wait for one that comes after the boot", async () => {
    const realtime = new Realtime();
    const collab = new Collab({ realtime });
    collab.define("doc:{id}", () => "write");
    await using manager = new ServiceManager(undefined, { logger: recordingLog() });
    manager.registerHandler(realtime).registerHandler(collab);
    await manager.boot();
    await expect(collab.edit("doc:1", () => undefined)).rejects.toThrow("Collab: it is not set up with a server");
    const io = new Server(createServer());
    manager.attach(io);
    await using clients = await inMemory(io);
    const socket = clients.client();
    const note = openDocument(createClient(socket, { logger: quiet }), "doc:1");
    socket.connect();
    await note.ready;
    await collab.edit("doc:1", (doc) => doc.getText("t").insert(0, "after"));
    await vi.waitFor(() => expect(note.doc.getText("t").toString()).toBe("after"));
    note.close();
  });

  it("are torn down as any other", async () => {
    const realtime = new Realtime();
    const collab = new Collab({ realtime });
    const manager = new ServiceManager(undefined, { logger: recordingLog() });
    manager.registerHandler(realtime).registerHandler(collab);
    await manager.boot();
    expect((await manager.shutdown()).failures).toEqual([]);
  });
});

it("documents of another namespace are named after it, and are that namespace's clients' alone", async () => {
  const io = new Server(createServer());
  const realtime = new Realtime({ namespace: "/office" });
  const collab = new Collab({ realtime });
  collab.define("doc:{id}", () => "write");
  await using manager = new ServiceManager(io, { logger: recordingLog() });
  manager.registerHandler(realtime).registerHandler(collab);
  await manager.boot();
  expect(collab.name).toBe("collab of /office");
  await using clients = await inMemory(io);
  const socket = clients.client({ namespace: "/office" });
  const note = openDocument(createClient(socket, { logger: quiet }), "doc:1");
  socket.connect();
  await note.ready;
  expect(collab.describe()).toMatchObject([{ document: "doc:1", editors: 1 }]);
  note.close();
});
