import fc from "fast-check";
import { createClient, type TopicJoin } from "socket-ingress/client";
import { expect, it } from "vitest";
import { FakeSocket, type Sent, settled } from "./fixtures/fake-socket.js";
import { recordingLogger } from "./fixtures/recorder.js";

/** The server's side of the topics: what it is asked, in order, and which topics the connection is in. */
class Rooms {
  readonly socket: FakeSocket;
  in = new Set<string>();
  /** Asked and not done yet; `lost` are those whose answer will not arrive. */
  private queue: Sent[] = [];

  constructor(socket: FakeSocket) {
    this.socket = socket;
  }

  take(): void {
    this.queue.push(...this.socket.take());
  }

  /** Does what it was asked first, and answers. */
  step(): void {
    this.take();
    const sent = this.queue.shift();
    if (sent === undefined) return;
    this.carryOut(sent);
    const [topics] = sent.args;
    sent.reply(Array.isArray(topics) ? { answers: topics.map(() => ({})) } : {});
  }

  /** The connection goes: some of what was sent is done still, nothing is answered. */
  cut(done: number): void {
    this.take();
    for (const sent of this.queue.splice(0).slice(0, done)) this.carryOut(sent);
  }

  private carryOut({ event, args }: Sent): void {
    for (const topic of [args[0]].flat().map(String)) {
      if (event === "ingress:join") this.in.add(topic);
      else this.in.delete(topic);
    }
  }
}

type Step =
  | { do: "join" | "joinWithSnapshot"; topic: string }
  | { do: "leave"; which: number }
  | { do: "serve" }
  | { do: "settle" }
  | { do: "drop"; done: number }
  | { do: "connect"; recovered: boolean };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom("join" as const, "joinWithSnapshot" as const), topic: fc.constantFrom("a", "b") }),
  fc.record({ do: fc.constant("leave" as const), which: fc.nat(9) }),
  fc.record({ do: fc.constant("serve" as const) }),
  fc.record({ do: fc.constant("settle" as const) }),
  fc.record({ do: fc.constant("drop" as const), done: fc.nat(3) }),
  fc.record({ do: fc.constant("connect" as const), recovered: fc.boolean() }),
);

it("whatever is joined, left, dropped and recovered, in the end the server has what is wanted and every join is settled", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const socket = FakeSocket.connected();
      const client = createClient(socket, { logger: recordingLogger() });
      const server = new Rooms(socket);
      const joins: { topic: string; join: TopicJoin; left: boolean; settled: boolean }[] = [];
      const take = (): Promise<void> => settled();

      for (const action of steps) {
        if (action.do === "join" || action.do === "joinWithSnapshot") {
          const join = client.joinTopic(action.topic, action.do === "join" ? {} : { onJoined: () => {} });
          const entry = { topic: action.topic, join, left: false, settled: false };
          joins.push(entry);
          void join.then(() => (entry.settled = true));
        } else if (action.do === "leave") {
          const entry = joins[action.which % Math.max(joins.length, 1)];
          if (entry) {
            entry.left = true;
            entry.join.leave();
          }
        } else if (action.do === "serve") server.step();
        else if (action.do === "settle") await take();
        else if (action.do === "drop" && socket.connected) {
          server.cut(action.done);
          socket.drop();
        } else if (action.do === "connect" && !socket.connected) {
          if (!action.recovered) server.in = new Set();
          socket.connect({ recovered: action.recovered });
        }
      }

      await take();
      if (!socket.connected) {
        server.in = new Set();
        socket.connect();
      }
      for (let n = 0; n < 20; n++) {
        server.step();
        await take();
      }
      const wanted = new Set(joins.filter(({ left }) => !left).map(({ topic }) => topic));
      expect(server.in).toEqual(wanted);
      expect(joins.filter((entry) => !entry.settled)).toEqual([]);
      client.close();
    }),
    { numRuns: 500 },
  );
});
