import { describe, expect, it, vi } from "vitest";
import type { Server } from "socket.io";
import { ServiceManager } from "socket-ingress";
import { createClient } from "socket-ingress/client";
import { Collab, MemoryDocumentStore } from "socket-ingress/collab";
import { openDocument } from "socket-ingress/collab/client";
import { MemoryNotificationStore, Notifications } from "socket-ingress/notifications";
import { openInbox } from "socket-ingress/notifications/client";
import { Realtime } from "socket-ingress/realtime";
import { openStage as openNotifications } from "../features/notifications/stage.js";
import { openStage as openDocuments, quiet } from "../features/collab/stage.js";
import { recordingLog } from "../fixtures/recording-log.js";
import { serve } from "../fixtures/serve.js";

const SLOW = { timeout: 20_000 };
const soon = { timeout: 10_000 };

describe("doors that are torn down and set up again, each alone", () => {
  it("a document that somebody only looks at is in step again", SLOW, async () => {
    await using stage = await openDocuments();
    const [ann, bob] = [await stage.tab("ann"), await stage.tab("bob")];
    for (const text of ["first", "second"]) {
      await stage.collab.teardown();
      await stage.collab.setup();
      await stage.collab.edit("doc:42", (doc) => doc.getText("t").insert(0, text));
      for (const { note } of [ann, bob])
        await vi.waitFor(() => expect(note.doc.getText("t").toString()).toContain(text), soon);
    }
    ann.type("!");
    await vi.waitFor(() => expect(bob.text.toString()).toBe("secondfirst!"), soon);
  });

  it("an inbox is that of who has logged in meanwhile", SLOW, async () => {
    await using stage = await openNotifications();
    await stage.notifications.send("ann", { title: "for ann" });
    await stage.notifications.send("bob", { title: "for bob" });
    const tab = await stage.tab("ann");
    expect(tab.titles()).toEqual(["for ann*"]);
    await stage.notifications.teardown();
    await stage.door.realtime.setUser(stage.door.served.serverSide(tab.entered.socket), "bob");
    await stage.notifications.setup();
    await vi.waitFor(() => expect(tab.titles()).toEqual(["for bob*"]), soon);
  });
});

describe("a manager that was shut down, and another one on the same server, under clients that stay", () => {
  const [documents, store] = [new MemoryDocumentStore(), new MemoryNotificationStore()];

  async function boot(io: Server) {
    const manager = new ServiceManager(io, { logger: recordingLog(), closeServer: false });
    const realtime = new Realtime({ user: ({ handshake }) => (handshake.auth as { readonly user: string }).user });
    const collab = new Collab({ realtime, store: documents });
    collab.define("doc:{id}", () => "write");
    const notifications = new Notifications({ realtime, store });
    manager.registerHandler(realtime).registerHandler(collab).registerHandler(notifications);
    await manager.boot();
    return { manager, realtime, collab, notifications };
  }

  it("what was written in between is in the document, and a login turns the inbox over", SLOW, async () => {
    await using served = await serve();
    let doors = await boot(served.io);
    await doors.notifications.send("bob", { title: "for bob" });
    const socket = await served.connect({ auth: { user: "ann" } });
    const client = createClient(socket, { logger: quiet });
    const [onRefused, inbox] = [vi.fn(), openInbox(client)];
    const note = openDocument(client, "doc:42", { onRefused });
    await Promise.all([note.ready, inbox.ready]);
    for (let life = 1; life <= 2; life++) {
      await doors.manager.shutdown({ graceMs: 1_000 });
      note.doc.getText("t").insert(0, `${life}`);
      doors = await boot(served.io);
      // A change that is under way at that moment bears a number of the door before.
      note.doc.getText("t").insert(0, "x");
      const { length } = note.doc.getText("t");
      expect(length).toBe(2 * life);
      const read = () => doors.collab.read("doc:42", (doc) => doc.getText("t").length);
      await vi.waitFor(async () => expect(await read()).toBe(length), soon);
      expect(note.doc.getText("t").length).toBe(length);
    }
    expect(onRefused).not.toHaveBeenCalled();
    await doors.realtime.setUser(served.serverSide(socket), "bob");
    await vi.waitFor(() => expect(inbox.getSnapshot().items.map(({ title }) => title)).toEqual(["for bob"]), soon);
    await doors.manager.shutdown({ graceMs: 100 });
  });
});
