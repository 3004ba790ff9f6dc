import { describe, expect, it } from "vitest";
import {
  group,
  MemoryMemberships,
  otherInGroup,
  othersInGroup,
  othersInSession,
  players,
  user,
  type Memberships,
  type Place,
  type Recipients,
} from "socket-ingress/realtime";
import { open, deferred, type Client, type Door } from "./door.js";

const NOTIFY = "ingress:notify";

/** A market: ada with two tabs, grace, and edsger; all play session "s", ada and grace are group "g". */
async function market(
  door: Door,
): Promise<{ ada1: Client; ada2: Client; grace: Client; edsger: Client; all: Client[] }> {
  const [ada1, ada2, grace, edsger] = await Promise.all(
    ["ada", "ada", "grace", "edsger"].map((name) => door.enter({ user: name })),
  );
  for (const name of ["ada", "grace", "edsger"]) await door.realtime.enroll(players("s"), name);
  for (const name of ["ada", "grace"]) await door.realtime.enroll(group("g"), name);
  return { ada1: ada1!, ada2: ada2!, grace: grace!, edsger: edsger!, all: [ada1!, ada2!, grace!, edsger!] };
}

async function notices(...clients: Client[]): Promise<unknown[][]> {
  await Promise.all(clients.map((client) => client.caughtUp()));
  return clients.map((client) => client.got(NOTIFY));
}

describe("a notification", () => {
  it("to the players of a session reaches each of them once, the sender included", async () => {
    await using door = await open();
    door.ingress.subscribe("post_offer", (context, price: number) => {
      void door.realtime.notify(context, players("s"), price, { event: "NewOffer" });
      return { posted: price };
    });
    const { ada1, ada2, grace, edsger } = await market(door);
    const stranger = await door.enter({ user: "mallory" });
    expect(await ada1.socket.emitWithAck("post_offer", 3.5)).toEqual({ posted: 3.5 });
    const offer = [{ event: "NewOffer", data: 3.5 }];
    expect(await notices(ada1, ada2, grace, edsger, stranger)).toEqual([offer, offer, offer, offer, []]);
  });

  it("to the others of the group leaves out the sender's other tabs too", async () => {
    await using door = await open();
    door.ingress.subscribe("hi", (context) => void door.realtime.notify(context, othersInGroup(context), "hi"));
    const { ada1, ada2, grace, edsger } = await market(door);
    await ada1.socket.emitWithAck("hi");
    expect(await notices(ada1, ada2, grace, edsger)).toEqual([[], [], [{ data: "hi" }], []]);
  });

  it("to the others of the session reaches all players but the sender", async () => {
    await using door = await open();
    door.ingress.subscribe("hi", (context) => void door.realtime.notify(context, othersInSession(context), "hi"));
    const { ada1, ada2, grace, edsger } = await market(door);
    await ada1.socket.emitWithAck("hi");
    expect(await notices(ada1, ada2, grace, edsger)).toEqual([[], [], [{ data: "hi" }], [{ data: "hi" }]]);
  });

  it("to the other of the group is an error unless there is exactly one", async () => {
    await using door = await open();
    door.ingress.subscribe("pass", async (context) => {
      await door.realtime.notify(context, otherInGroup(context), "yours");
      return true;
    });
    const { ada1, grace, edsger } = await market(door);
    expect(await ada1.socket.emitWithAck("pass")).toBe(true);
    expect(await notices(grace)).toEqual([[{ data: "yours" }]]);
    await door.realtime.enroll(group("g"), "edsger");
    expect(await ada1.socket.emitWithAck("pass")).toMatchObject({ error: { code: "CONFLICT" } });
    await door.realtime.withdraw(group("g"), "edsger");
    await door.realtime.withdraw(group("g"), "grace");
    expect(await ada1.socket.emitWithAck("pass")).toMatchObject({ error: { code: "CONFLICT" } });
    expect(await edsger.socket.emitWithAck("pass")).toMatchObject({ error: { code: "NOT_FOUND" } });
    expect(await notices(grace, edsger)).toEqual([[{ data: "yours" }], []]);
  });

  it("with wrong recipients that nobody awaits breaks nothing and is logged", async () => {
    await using door = await open();
    door.ingress.subscribe("pass", (context) => {
      void door.realtime.notify(context, otherInGroup(context), "yours");
      return true;
    });
    const client = await door.enter();
    expect(await client.socket.emitWithAck("pass")).toBe(true);
    expect(door.log.lines.filter(({ level }) => level === "warn")).toHaveLength(1);
  });

  it("from a timer reaches every tab of a user, with no sender", async () => {
    await using door = await open();
    const { ada1, ada2, grace } = await market(door);
    const sent = deferred();
    setImmediate(() => void door.realtime.sendTo(user("ada"), { won: true }, { event: "Won" }).then(sent.resolve));
    await sent.promise;
    const won = [{ event: "Won", data: { won: true } }];
    expect(await notices(ada1, ada2, grace)).toEqual([won, won, []]);
    expect(await door.realtime.sendTo({ user: "ada" }, 1, { count: true })).toMatchObject({ sockets: 2 });
  });

  it("in several groups needs to say which, and only one's own will do", async () => {
    await using door = await open();
    const replies = new Map<string, (context: Parameters<typeof othersInGroup>[0]) => Recipients>([
      ["any", (context) => othersInGroup(context)],
      ["g", (context) => othersInGroup(context, "g")],
      ["theirs", (context) => othersInGroup(context, "theirs")],
    ]);
    door.ingress.subscribe("say", async (context, which: string) => {
      await door.realtime.notify(context, replies.get(which)!(context), which);
      return true;
    });
    const { ada1, grace, edsger } = await market(door);
    await door.realtime.enroll(group("h"), "ada");
    await door.realtime.enroll(group("theirs"), "edsger");
    expect(await ada1.socket.emitWithAck("say", "any")).toMatchObject({ error: { code: "CONFLICT" } });
    expect(await ada1.socket.emitWithAck("say", "theirs")).toMatchObject({ error: { code: "FORBIDDEN" } });
    expect(await ada1.socket.emitWithAck("say", "g")).toBe(true);
    expect(await notices(grace, edsger)).toEqual([[{ data: "g" }], []]);
  });

  it.each<[string, unknown]>([
    ["undefined", undefined],
    ["a name", "ada"],
    ["null", null],
    ["a number", 5],
    ["nothing said", {}],
  ])("to %s is a TypeError", async (_name, recipients) => {
    await using door = await open();
    expect(() => door.realtime.sendTo(recipients as never, 1)).toThrow(TypeError);
  });

  it("reaches members who connect later, and no longer those who were taken out", async () => {
    await using door = await open();
    await door.realtime.enroll(group("g"), "ada");
    const ada = await door.enter({ user: "ada" });
    await door.realtime.sendTo(group("g"), 1);
    await door.realtime.withdraw(group("g"), "ada");
    await door.realtime.sendTo(group("g"), 2);
    expect(await notices(ada)).toEqual([[{ data: 1 }]]);
    expect(await door.realtime.membersOf(group("g"))).toEqual([]);
  });

  it("keeps to a store that takes time, whatever happens while it answers", async () => {
    const store = new MemoryMemberships();
    const asked = deferred();
    const go = deferred();
    const slow: Memberships = {
      add: async (place: Place, member: string) => store.add(place, member),
      remove: async (place: Place, member: string) => store.remove(place, member),
      members: async (place: Place) => store.members(place),
      places: async (member: string) => {
        const places = store.places(member);
        asked.resolve();
        await go.promise;
        return places;
      },
    };
    await using door = await open({ memberships: slow });
    await door.realtime.enroll(group("out"), "ada");
    const entering = door.enter({ user: "ada" });
    await asked.promise;
    await door.realtime.withdraw(group("out"), "ada");
    await door.realtime.enroll(group("in"), "ada");
    go.resolve();
    const ada = await entering;
    await door.realtime.sendTo(group("out"), "out");
    await door.realtime.sendTo(group("in"), "in");
    expect(await notices(ada)).toEqual([[{ data: "in" }]]);
  });
});

describe("a signal to ask again", () => {
  it("names the action, its payload, the event and whose doing it was", async () => {
    await using door = await open();
    door.realtime.topics.define("room:{id}", { public: true });
    const [inside, outside] = [await door.enter(), await door.enter()];
    await inside.join("room:42");
    await door.realtime.emitSocketRefetch("get_items", { event: "items_changed", topic: "room:42", origin: inside.id });
    await door.realtime.emitSocketRefetch("get_item", { payload: { id: 7 } });
    await Promise.all([inside.caughtUp(), outside.caughtUp()]);
    expect(inside.got("ingress:refetch")).toEqual([
      { action: "get_items", event: "items_changed", origin: inside.id },
      { action: "get_item", payload: { id: 7 } },
    ]);
    expect(outside.got("ingress:refetch")).toHaveLength(1);
  });

  it.each<[string, unknown, unknown]>([
    ["no action", "", {}],
    ["an empty topic", "a", { topic: "" }],
    ["a topic that is not there", "a", { topic: undefined }],
    ["a number as event", "a", { event: 5 }],
    ["an empty origin", "a", { origin: "" }],
  ])("with %s is a TypeError", async (_name, action, options) => {
    await using door = await open();
    expect(() => door.realtime.emitSocketRefetch(action as string, options as object)).toThrow(TypeError);
  });
});
