/**
 * Topics and calls that run once, on a server without a port: memory of a socket's first and second topic, what a call with a request id
 * takes while few or many answers are kept, and what `count()` of a topic takes. Run with `--expose-gc`.
 */
import { fileURLToPath } from "node:url";
import { loadDoor, ServiceManager } from "../contestants/build.mjs";
import { serveCommands } from "./processes.mjs";
import { median } from "./statistics.mjs";

const turn = () => new Promise((resolve) => setImmediate(resolve));
const turns = async (count) => {
  for (let i = 0; i < count; i++) await turn();
};
const heap = () => {
  for (let i = 0; i < 4; i++) globalThis.gc();
  return process.memoryUsage().heapUsed;
};

const [{ Realtime }, { fakeServer }] = [await loadDoor("realtime"), await loadDoor("testing")];

async function serve(connections) {
  const io = fakeServer();
  const realtime = new Realtime({ user: ({ handshake }) => handshake.auth.user });
  realtime.topics.define("room:{id}", { public: true });
  const manager = new ServiceManager(io).registerHandler(realtime);
  manager.ingress.subscribe("work", (_context, n) => ({ n }));
  await manager.boot();
  const opened = [];
  for (let i = 0; i < connections; i++) {
    const replies = { count: 0 };
    const connection = io.engine.open({}, { receive: (frame) => frame.startsWith("3") && replies.count++, lost() {} });
    connection.incoming(`0{"user":"user-${i}"}`);
    opened.push({ connection, replies });
    if (i % 100 === 0) await turn();
  }
  await turns(2);
  return { io, realtime, manager, opened };
}

/** Bytes a socket takes more with its first topic, and with its second. */
async function memory({ sockets = 4_000 }) {
  const { opened, manager } = await serve(sockets);
  const send = async (frame) => {
    for (const { connection } of opened) connection.incoming(frame);
    await turns(20);
  };
  // Neither the dispatchers nor the code of a first event are to be counted.
  await send('20["ingress:leave","room:0"]');
  const sizes = [heap()];
  for (const topic of ["room:1", "room:2"]) {
    await send(`21["ingress:join","${topic}"]`);
    sizes.push(heap());
  }
  await manager.shutdown();
  return { first: (sizes[1] - sizes[0]) / sockets, second: (sizes[2] - sizes[1]) / sockets };
}

/** Microseconds a call takes: without a request id, with one while 10 answers are kept, and while 100 are. */
async function calls({ samples = 300, each = 10 }) {
  const { opened, manager } = await serve(3);
  let id = 0;
  const us = { plain: [], few: [], many: [] };
  const kinds = Object.keys(us);
  /** So many calls of one client, one behind the other on the wire. */
  const burst = async (index, requestIdOf) => {
    const { connection, replies } = opened[index];
    const until = replies.count + each;
    for (let i = 0; i < each; i++) {
      const requestId = requestIdOf?.(i);
      if (requestId !== undefined) connection.incoming(`2["ingress:request","${requestId}","work"]`);
      connection.incoming(`2${id++}["work",1]`);
    }
    while (replies.count < until) await turn();
  };
  const requestIds = { few: (i) => `few ${i}`, many: (i, burst) => `kept ${(burst * each + i) % 100}` };
  for (let i = 0; i < 100; i += each) await burst(2, (j) => `kept ${(i + j) % 100}`);
  for (let sample = -10; sample < samples; sample++) {
    for (const [index, kind] of kinds.entries()) {
      const from = process.hrtime.bigint();
      await burst(index, kind === "plain" ? undefined : (i) => requestIds[kind](i, sample + 10));
      if (sample >= 0) us[kind].push(Number(process.hrtime.bigint() - from) / 1_000 / each);
    }
  }
  await manager.shutdown();
  return Object.fromEntries(kinds.map((kind) => [kind, median(us[kind])]));
}

/** Microseconds that `count()` of a topic takes. */
async function count({ sockets = 1_000, samples = 200 }) {
  const { opened, realtime, manager } = await serve(sockets);
  for (const { connection } of opened) connection.incoming('21["ingress:join","room:1"]');
  await turns(20);
  const us = [];
  for (let sample = -20; sample < samples; sample++) {
    const from = process.hrtime.bigint();
    const { sockets: found } = await realtime.count({ topic: "room:1" });
    if (found !== sockets) throw new Error(`${found} of ${sockets} sockets were counted`);
    if (sample >= 0) us.push(Number(process.hrtime.bigint() - from) / 1_000);
  }
  await manager.shutdown();
  return median(us);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) serveCommands({ memory, calls, count });
