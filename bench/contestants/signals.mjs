/** The realtime door with one action, which counts who calls it, and signals that it has news. */
import { Server } from "socket.io";
import { loadDoor, ServiceManager } from "./build.mjs";
import { serverOptions } from "../load/workload.mjs";

const { Realtime } = await loadDoor("realtime");
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Starts the server and resolves to its port. `control` sends signals and resolves to what they cost. */
export async function start() {
  const io = new Server(0, serverOptions);
  const realtime = new Realtime();
  const manager = new ServiceManager(io).registerHandler(realtime);
  let items = 0;
  let calls = new Map();
  let workMs = 0;
  manager.ingress.subscribe("get_items", async ({ socket }) => {
    calls.set(socket.id, (calls.get(socket.id) ?? 0) + 1);
    const found = items;
    if (workMs > 0) await pause(workMs);
    return found;
  });
  await manager.boot();

  const made = () => [...calls.values()].reduce((sum, each) => sum + each, 0);
  const kinds = {
    emitSocket: () => realtime.emitSocket("items_changed", { source: "bench" }),
    emitSocketRefetch: () => realtime.emitSocketRefetch("get_items"),
  };
  return {
    port: io.httpServer.address().port,
    /** `count` signals by one of the `kinds`, evenly over `spreadMs` (0: in one turn), each after a change of the state. */
    async control({ kind, count, spreadMs, workMs: takes }) {
      calls = new Map();
      workMs = takes;
      const began = performance.now();
      for (let i = 0; i < count; i++) {
        while (performance.now() - began < (i * spreadMs) / (count - 1)) await new Promise(setImmediate);
        items++;
        void kinds[kind]();
      }
      const tookMs = performance.now() - began;
      // over when nobody has called for a while
      for (let before = -1; before !== made();) {
        before = made();
        await pause(100);
      }
      return { items, tookMs, calls: [...calls.values()] };
    },
  };
}
