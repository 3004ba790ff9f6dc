import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { openList } from "socket-ingress/changes/client";
import { createClient } from "socket-ingress/client";
import { openInbox } from "socket-ingress/notifications/client";
import { fakeServer } from "socket-ingress/testing";
import { tokenFor } from "./accounts.js";
import type { App, Ticket } from "./app.js";
import { createDesk } from "./desk.js";

const secret = "a secret of thirty-two bytes or more";

async function open() {
  const io = fakeServer<App>();
  const manager = createDesk(io, secret);
  await manager.boot();
  return {
    async as(user: string) {
      const socket = await io.connect({ auth: { token: await tokenFor(user, secret) } });
      return { socket, client: createClient<App>(socket) };
    },
    connect: io.connect.bind(io),
    [Symbol.asyncDispose]: async () => void (await manager.shutdown({ graceMs: 0 })),
  };
}

void test("nobody comes in without a token", async () => {
  await using desk = await open();
  await assert.rejects(desk.connect(), { code: "UNAUTHENTICATED" });
});

void test("an agent's list follows, with what customers are not shown; a customer's has their own", async () => {
  await using desk = await open();
  const { client: ada } = await desk.as("ada");
  const { client: bob } = await desk.as("bob");
  const { client: grace } = await desk.as("grace");
  const list = (client: typeof ada, topic: string) =>
    openList<Partial<Ticket>>(client, { topic, load: ({ signal }) => client.with({ signal }).call("get_tickets") });
  const [agents, adas, bobs] = [
    list(grace, "ticket"),
    list(ada, "ticket/customer/ada"),
    list(bob, "ticket/customer/bob"),
  ];
  await Promise.all([agents.ready, adas.ready, bobs.ready]);
  const has = (rows: typeof agents, count: number) =>
    new Promise<void>((resolve) => void rows.subscribe(({ rows }) => rows.length === count && resolve()));
  await ada.call("open_ticket", { title: "It is broken" });
  await Promise.all([has(agents, 1), has(adas, 1)]);
  assert.deepEqual(agents.getSnapshot().rows[0], {
    id: 1,
    title: "It is broken",
    customer: "ada",
    status: "open",
    priority: 3,
  });
  assert.deepEqual(adas.getSnapshot().rows[0], { id: 1, title: "It is broken", customer: "ada", status: "open" });
  assert.deepEqual(bobs.getSnapshot().rows, []);
});

void test("a conversation is its customer's and the agents'", async () => {
  await using desk = await open();
  const { client: ada } = await desk.as("ada");
  const { client: bob } = await desk.as("bob");
  const { id } = await ada.call("open_ticket", { title: "It is broken" });
  await ada.joinTopic(`conversation:${id}`);
  await assert.rejects(bob.joinTopic(`conversation:${id}`), { code: "FORBIDDEN" });
  await assert.rejects(ada.joinTopic("conversation:99"), { code: "NOT_FOUND" });
  await assert.rejects(bob.call("say", { ticket: id, text: "hi" }), { code: "FORBIDDEN" });
});

void test("who is in a conversation sees who else is", async () => {
  mock.timers.enable({ apis: ["setTimeout"] }); // presence is told together, 100 ms after the first change
  await using desk = await open();
  const { client: ada } = await desk.as("ada");
  const { client: grace } = await desk.as("grace");
  const { id } = await ada.call("open_ticket", { title: "It is broken" });
  const topic = `conversation:${id}`;
  await ada.joinTopic(topic);
  const leave = await grace.joinTopic(topic);
  mock.timers.tick(100);
  await ada.call("get_tickets"); // what was pushed before the answer is there with it
  assert.deepEqual(
    ada.presence(topic).map(({ user }) => user),
    ["ada", "grace"],
  );
  leave();
  await grace.call("get_tickets");
  mock.timers.tick(100);
  await ada.call("get_tickets");
  assert.deepEqual(
    ada.presence(topic).map(({ user }) => user),
    ["ada"],
  );
  mock.timers.reset();
});

void test("an answer is a notification until it is read", async () => {
  await using desk = await open();
  const { client: ada } = await desk.as("ada");
  const { client: grace } = await desk.as("grace");
  const inbox = openInbox<{ ticket: number }>(ada);
  await inbox.ready;
  const { id } = await ada.call("open_ticket", { title: "It is broken" });
  await grace.joinTopic(`conversation:${id}`);
  const unread = (count: number) =>
    new Promise<void>((resolve) => void inbox.subscribe((state) => void (state.unread === count && resolve())));
  await Promise.all([unread(1), grace.call("say", { ticket: id, text: "have you tried..." })]);
  assert.deepEqual(inbox.getSnapshot().items[0]?.data, { ticket: id });
  await inbox.markRead(inbox.getSnapshot().items.map((item) => item.id));
  assert.equal(inbox.getSnapshot().unread, 0);
});

void test("only agents close a ticket", async () => {
  await using desk = await open();
  const { client: ada } = await desk.as("ada");
  const { client: grace } = await desk.as("grace");
  const { id } = await ada.call("open_ticket", { title: "It is broken" });
  await assert.rejects(ada.call("close_ticket", id), { code: "FORBIDDEN" });
  assert.deepEqual(await grace.call("close_ticket", id), { id });
  await assert.rejects(grace.call("close_ticket", 99), { code: "NOT_FOUND" });
});

void test("what was said while the line was down comes after it", async () => {
  await using desk = await open();
  const { client: ada, socket } = await desk.as("ada");
  const { client: grace } = await desk.as("grace");
  const { id } = await ada.call("open_ticket", { title: "It is broken" });
  await Promise.all([ada.joinTopic(`conversation:${id}`), grace.joinTopic(`conversation:${id}`)]);
  const heard = new Promise((resolve) => void ada.on("said", resolve));
  socket.dropTransport();
  await grace.call("say", { ticket: id, text: "have you tried..." });
  await socket.reconnect();
  assert.deepEqual(await heard, { ticket: id, by: "grace", text: "have you tried..." });
});

void test("input that does not fit is refused", async () => {
  await using desk = await open();
  const { client: ada } = await desk.as("ada");
  await assert.rejects(ada.call("open_ticket", { title: "" }), { code: "INVALID_INPUT" });
});
