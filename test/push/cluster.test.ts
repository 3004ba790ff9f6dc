import { afterEach, expect, it, vi } from "vitest";
import { fakeServer } from "socket-ingress/testing";
import { Cluster, type NodeMessage } from "../../src/push/cluster.js";
import { recordingLog } from "../fixtures/recording-log.js";

interface Ping extends NodeMessage {
  readonly kind: "ping";
}
const ping: Ping = { kind: "ping" };

/** A node whose adapter says and does what a test wants, and what it logs. */
function node() {
  const io = fakeServer();
  const namespace = io.of("/");
  const log = recordingLog();
  const cluster = new Cluster(namespace, log);
  const { adapter } = namespace;
  const sent: unknown[][] = [];
  vi.spyOn(adapter, "serverCount").mockResolvedValue(2);
  const send = vi.spyOn(adapter, "serverSideEmit").mockImplementation((packet: unknown[]) => void sent.push(packet));
  /** What another node says, and how it is answered. */
  const hear = (message: unknown): Promise<unknown> =>
    new Promise((resolve) => {
      for (const listener of namespace.listeners("ingress:realtime" as never)) void listener(message, resolve);
    });
  return { namespace, cluster, adapter, log, sent, send, hear };
}

afterEach(() => vi.restoreAllMocks());

it("an adapter that throws is logged, and nobody waits for its answer", async () => {
  const { cluster, send, log } = node();
  send.mockImplementation(() => {
    throw new Error("not serialisable");
  });
  await cluster.tell(ping);
  expect(await cluster.ask(ping)).toEqual({ answers: [], complete: false });
  expect(log.lines.map(({ message }) => message)).toEqual(Array(2).fill("the adapter could not reach the other nodes"));
});

it("an adapter that rejects is logged, and nobody waits for its answer", async () => {
  const { cluster, send, log } = node();
  send.mockImplementation(() => Promise.reject(new Error("no connection")) as never);
  expect(await cluster.ask(ping)).toEqual({ answers: [], complete: false });
  expect(log.lines.map(({ message }) => message)).toEqual(["the adapter could not reach the other nodes"]);
});

it("where nobody can say how many nodes there are, they are told, and the answer is not complete", async () => {
  const { cluster, adapter, sent } = node();
  vi.spyOn(adapter, "serverCount").mockRejectedValue(new Error("no connection"));
  expect(await cluster.ask(ping)).toEqual({ answers: [], complete: false });
  expect(sent).toHaveLength(1);
});

it("a node that failed to answer leaves the answers incomplete", async () => {
  const { cluster, sent } = node();
  const asked = cluster.ask<number>(ping);
  await vi.waitFor(() => expect(sent).toHaveLength(1));
  const [packet = []] = sent;
  (packet[2] as (error: null, answers: unknown[]) => void)(null, [1, undefined, null, 2]);
  expect(await asked).toEqual({ answers: [1, 2], complete: false });
});

it("without others nothing is sent, and what is known of them is asked once where it may be old", async () => {
  const { cluster, adapter, sent } = node();
  const count = vi.spyOn(adapter, "serverCount").mockResolvedValue(1);
  for (let i = 0; i < 3; i++) await cluster.tell(ping, "known");
  expect([count.mock.calls.length, sent.length]).toEqual([1, 0]);
  expect(await cluster.sum(3, ping)).toEqual({ sockets: 3, nodes: 1, complete: true });
});

it("a second door on the namespace is an error that names it", () => {
  const { namespace, cluster } = node();
  expect(() => new Cluster(namespace, recordingLog())).toThrow("the namespace / has a Realtime already");
  cluster.close();
  new Cluster(namespace, recordingLog()).close();
});

it("what a node of another version says, and this one does not know, is ignored and said in the log once", async () => {
  const { hear, log } = node();
  expect([await hear({ kind: "future" }), await hear({ kind: "other" }), await hear(undefined)]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  expect(log.lines).toMatchObject([
    { fields: { kind: "future" }, message: "another node says what this version does not know; it is ignored" },
  ]);
});

it("a message whose listener fails is logged, and answered with nothing", async () => {
  const { cluster, hear, log } = node();
  const others = vi.fn();
  cluster.onOther(others);
  cluster.on<Ping>("ping", () => {
    throw new Error("broken");
  });
  expect(await hear(ping)).toBeUndefined();
  expect(others).toHaveBeenCalledOnce();
  expect(log.lines).toMatchObject([{ fields: { kind: "ping" }, message: "a message of another node failed" }]);
});

it("bytes cross with an adapter that carries text alone between nodes, in messages and in answers, wherever they are", async () => {
  const carried = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
  const [one, two] = [node(), node()];
  const bytes = Uint8Array.from([0, 1, 255]).subarray(1);
  const heard: unknown[] = [];
  two.cluster.on("told", ({ data }: NodeMessage) => {
    heard.push(data);
    return data;
  });
  one.send.mockImplementation(((packet: unknown[]) => {
    const answer = packet[2] as ((error: null, answers: unknown[]) => void) | undefined;
    void two.hear(carried(packet[1])).then((given) => answer?.(null, [carried(given)]));
  }) as never);
  const given = {
    list: [1, { bytes }, bytes.slice().buffer],
    made: { toJSON: () => ({ bytes: Buffer.from(bytes) }) },
    at: new Date(0),
    JSON: JSON.parse('{"__proto__": 7, "kind": "packed"}') as unknown,
  };
  const buffer = Buffer.from([1, 255]);
  const wanted = {
    list: [1, { bytes: buffer }, buffer],
    made: { bytes: buffer },
    at: "1970-01-01T00:00:00.000Z",
    JSON: given.JSON,
  };
  expect(await one.cluster.ask({ kind: "told", data: given })).toEqual({ answers: [wanted], complete: true });
  expect(await one.cluster.ask({ kind: "told", data: bytes })).toEqual({ answers: [buffer], complete: true });
  expect(await one.cluster.ask({ kind: "told", data: { text: "t" } })).toEqual({
    answers: [{ text: "t" }],
    complete: true,
  });
  expect(heard).toEqual([wanted, buffer, { text: "t" }]);
  expect(given.list[1]).toEqual({ bytes });
});
