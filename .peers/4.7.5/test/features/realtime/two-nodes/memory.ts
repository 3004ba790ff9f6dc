import * as api from "socket-ingress/realtime";
import { memoryCluster } from "socket-ingress/testing";
import { open, type Door } from "../door.js";
import { type Job, type Nodes, prepare, presence } from "./nodes.js";

/** Two servers of this process, joined by nothing but memory. */
export async function startInMemory(): Promise<Nodes & { partition(): () => void }> {
  const { adapter, partition } = memoryCluster();
  const memberships = new api.MemoryMemberships();
  const waitingRoom = new api.MemoryWaitingRoom();
  const node = (): Promise<Door> =>
    open({
      presence,
      memberships,
      waitingRoom,
      server: { adapter },
      before: (_manager, realtime) => prepare(realtime),
    });
  const doors = [await node(), await node()] as const;
  return {
    partition,
    enter: (which, as) => doors[which].enter(as),
    run: async <Args extends unknown[], Result>(
      which: 0 | 1,
      job: Job<Args, Result>,
      ...args: Args
    ): Promise<Awaited<Result>> => await job(doors[which].realtime, api, ...args),
    stop: (which) => Promise.resolve(doors[which][Symbol.asyncDispose]()),
    [Symbol.asyncDispose]: async () => {
      for (const door of doors) await door[Symbol.asyncDispose]();
    },
  };
}
