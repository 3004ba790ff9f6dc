import { afterEach, describe, expect, it, vi } from "vitest";
import { everyone, nobody, socket, topic, union, user } from "socket-ingress/realtime";
import { fakeServer } from "socket-ingress/testing";
import { Cluster } from "../../src/push/cluster.js";
import { loggedPush } from "../../src/push/logged-push.js";
import { Pusher } from "../../src/push/pusher.js";
import { roomOf } from "../../src/push/rooms.js";
import { recordingLog } from "../fixtures/recording-log.js";

afterEach(() => vi.restoreAllMocks());

/** A pusher of one node, with two clients: both in topic "t", one of them as "ada". */
async function open() {
  const io = fakeServer();
  const log = recordingLog();
  const pusher = new Pusher(io.of("/"), new Cluster(io.of("/"), log), log);
  const [ada, bob] = [await io.connect(), await io.connect()];
  await ada.server.join([roomOf("topic", "t"), roomOf("user", "ada")]);
  await bob.server.join(roomOf("topic", "t"));
  const namesOf = ({ sent }: typeof ada): string[] => sent.map(({ event }) => event);
  return { io, log, pusher, ada, bob, namesOf };
}

const both = topic("t").and(user("ada")).data;

describe("a push", () => {
  it("that the adapter refuses is logged and counted, and never thrown", async () => {
    const { io, log, pusher } = await open();
    vi.spyOn(io.of("/").adapter, "broadcast").mockImplementation(() => {
      throw new Error("the adapter is broken");
    });
    expect(await pusher.send(topic("t").data, "news", [1])).toBeUndefined();
    expect(await pusher.send(topic("t").data, "news", [1], { count: true })).toMatchObject({ complete: false });
    expect(pusher.stats.failures).toBe(2);
    expect(log.lines.map(({ message }) => message)).toEqual(Array(2).fill("a push could not be sent"));
  });

  it("to this node's sockets in a room that can't be sent is logged, and not thrown", async () => {
    const { log, pusher, ada, namesOf } = await open();
    pusher.here(roomOf("topic", "t"), "bad", { amount: 5n });
    pusher.here(roomOf("topic", "t"), "good", 1);
    await vi.waitFor(() => expect(namesOf(ada)).toEqual(["good"]));
    expect(log.lines.map(({ fields }) => fields["push"])).toEqual(["bad"]);
  });

  it("of which the newest counts tells how many sockets it is for, of all nodes or of this one", async () => {
    const { pusher, ada, bob, namesOf } = await open();
    for (const local of [false, true])
      expect(await pusher.send(everyone().data, "price", [1], { latest: "EURUSD", count: true, local })).toEqual({
        sockets: 2,
        nodes: 1,
        complete: true,
      });
    expect(await pusher.send(everyone().data, "price", [1], { latest: "EURUSD", local: true })).toBeUndefined();
    await vi.waitFor(() => expect([...namesOf(ada), ...namesOf(bob)]).toEqual(Array(6).fill("price")));
  });

  it("with receipts to this node alone asks nobody else", async () => {
    const { io, pusher, ada } = await open();
    const others = vi.spyOn(io.of("/").adapter, "serverCount");
    ada.on("ingress:received", (...args: unknown[]) => (args.at(-1) as () => void)());
    expect(await pusher.send(user("ada").data, "alert", [1], { receipts: { timeoutMs: 5_000 }, local: true })).toEqual({
      sockets: 1,
      nodes: 1,
      complete: true,
      received: 1,
    });
    expect(others).not.toHaveBeenCalled();
  });

  it("that is volatile is dropped for whoever is behind, and counted where that is asked for", async () => {
    const { pusher, ada, bob, namesOf } = await open();
    await ada.server.join(roomOf("user", "ada"));
    await bob.server.join(roomOf("user", "ada"));
    const isBehind = vi.spyOn(ada.server.conn.transport, "writable", "get").mockReturnValue(false);
    for (const countsDropped of [false, true]) {
      pusher.countsDropped = countsDropped;
      await pusher.send(both, "cursor", [1], { volatile: true });
      await pusher.send(both, "kept", [1]);
    }
    await vi.waitFor(() => expect(namesOf(bob)).toEqual(["cursor", "kept", "cursor", "kept"]));
    await vi.waitFor(() => expect(namesOf(ada)).toEqual(["kept", "kept"]));
    expect(pusher.stats.dropped).toBe(1);
    isBehind.mockReturnValue(true);
    await pusher.send(both, "cursor", [2], { volatile: true });
    await vi.waitFor(() => expect(namesOf(ada)).toHaveLength(3));
    expect(pusher.stats.dropped).toBe(1);
  });
});

it("nobody is counted as nobody, and one who spells a room of ours as nobody", async () => {
  const { pusher } = await open();
  expect(pusher.countHere(nobody().data)).toBe(0);
  expect(pusher.countHere(both)).toBe(1);
  expect(pusher.socketsHere(socket(roomOf("user", "ada")).data)).toEqual([]);
});

describe("what a push is to the log", () => {
  const historyOf = (name: string) => (name === "post" ? { keep: 10, maxAgeMs: 1_000 } : undefined);
  const logged = { topics: [{ topic: "post", keep: 10, maxAgeMs: 1_000 }], variant: null };

  it("is the same whether a union has one part, or nobody among its parts", () => {
    const without = { ...logged, except: [roomOf("user", "ann")], rest: undefined };
    expect(loggedPush({ kind: "union", of: [topic("post").except(user("ann")).data] }, historyOf)).toEqual(without);
    expect(loggedPush({ kind: "union", of: [nobody().data, topic("post").data] }, historyOf)).toEqual({
      ...logged,
      except: [],
      rest: undefined,
    });
  });

  it("can't be a union of which a part leaves others out", () => {
    expect(() => loggedPush(union(topic("post").except(user("ann")), topic("b")).data, historyOf)).toThrow(
      'a push to topic "post", which has a history, can go to topics',
    );
  });
});
