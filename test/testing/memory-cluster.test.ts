import { expect, test, vi } from "vitest";
import { Server } from "socket.io";
import { fakeServer, inMemory, memoryCluster } from "socket-ingress/testing";

test("a broadcast on one node reaches the sockets of the other once", async () => {
  const { adapter } = memoryCluster();
  await using one = fakeServer({ adapter });
  await using two = fakeServer({ adapter });
  const [a, b] = [await one.connect(), await two.connect()];
  one.emit("news", "from one");
  expect(await a.next("news")).toEqual(["from one"]);
  expect(await b.next("news")).toEqual(["from one"]);
  two.local.emit("news", "of two");
  expect(await b.next("news")).toEqual(["of two"]);
  expect(a.sent).toHaveLength(1);
  expect(b.sent).toHaveLength(2);
});

test("rooms, fetchSockets and joins cross the nodes", async () => {
  const { adapter } = memoryCluster();
  await using one = fakeServer({ adapter });
  await using two = fakeServer({ adapter });
  const [a, b] = [await one.connect({ data: { user: "a" } }), await two.connect({ data: { user: "b" } })];
  one.in(b.id as string).socketsJoin("blue");
  const found = await one.fetchSockets();
  expect(found.map((socket) => (socket.data as { user: string }).user).sort()).toEqual(["a", "b"]);
  one.to("blue").emit("news", 1);
  expect(await b.next("news")).toEqual([1]);
  expect(a.sent).toEqual([]);
});

test("acknowledgements and serverSideEmit come back from other nodes", async () => {
  const { adapter } = memoryCluster();
  await using one = fakeServer({ adapter });
  await using two = fakeServer({ adapter });
  two.on("ping", (reply: (text: string) => void) => reply("pong"));
  expect(await one.serverSideEmitWithAck("ping")).toEqual(["pong"]);
  const b = await two.connect();
  b.on("ask", (n: number, reply: (n: number) => void) => reply(n + 1));
  expect(await one.timeout(20_000).emitWithAck("ask", 1)).toEqual([2]);
});

test("nodes share no memory: data crosses as an encoded copy, binary included", async () => {
  const { adapter } = memoryCluster();
  await using one = fakeServer({ adapter });
  await using two = fakeServer({ adapter });
  const heard = new Promise<unknown[]>((resolve) => two.on("data", (...args: unknown[]) => resolve(args)));
  const given = { list: [1], bytes: Buffer.from([1, 2]) };
  one.serverSideEmit("data", given);
  given.list.push(2);
  given.bytes[0] = 9;
  expect(await heard).toEqual([{ list: [1], bytes: Buffer.from([1, 2]) }]);
});

test("cut nodes do not hear each other until they are joined again", async () => {
  const cluster = memoryCluster();
  await using one = fakeServer({ adapter: cluster.adapter });
  await using two = fakeServer({ adapter: cluster.adapter });
  const [a, b] = [await one.connect(), await two.connect()];
  const join = cluster.partition();
  one.emit("news", "lost");
  expect(await a.next("news")).toEqual(["lost"]);
  expect(await one.fetchSockets()).toHaveLength(1);
  join();
  join();
  one.emit("news", "heard");
  expect(await b.next("news")).toEqual(["heard"]);
  expect(b.sent).toHaveLength(1);
});

test("a node that closed is not waited for", async () => {
  const { adapter } = memoryCluster();
  await using one = fakeServer({ adapter });
  const two = fakeServer({ adapter });
  await two.close();
  await one.connect();
  expect(await one.fetchSockets()).toHaveLength(1);
});

test("in-memory servers are joined the same way", async () => {
  const { adapter } = memoryCluster();
  await using one = await inMemory(new Server({ adapter }));
  await using two = await inMemory(new Server({ adapter }));
  const client = await two.connect();
  const heard = new Promise((resolve) => client.on("news", resolve));
  one.io.emit("news", "hi");
  expect(await heard).toBe("hi");
});

test("a cluster keeps no time", async () => {
  vi.useFakeTimers();
  try {
    const { adapter } = memoryCluster();
    await using one = fakeServer({ adapter });
    await using two = fakeServer({ adapter });
    await two.connect();
    expect(await one.fetchSockets()).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});
