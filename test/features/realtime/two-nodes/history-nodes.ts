import type { ServerOptions } from "socket.io";
import {
  type LoggedEntry,
  MemoryTopicLog,
  type Missed,
  type Position,
  type TopicEntry,
  type TopicHistory,
  type TopicLog,
} from "socket-ingress/realtime";
import { memoryCluster } from "socket-ingress/testing";
import { type As, type Door, type DoorOptions, open, record } from "../door.js";
import { type PositionReader, readPositions } from "../position-reader.js";

/** A log that several nodes share: it answers later, as one over a network does. */
export class SharedLog implements TopicLog {
  inner: TopicLog = new MemoryTopicLog();
  /** How long an answer takes, in milliseconds. */
  delay: () => number = () => 0;
  async #later<T>(value: T): Promise<T> {
    const ms = this.delay();
    await new Promise<void>((resolve) => {
      if (ms > 0) setTimeout(resolve, ms);
      else setImmediate(resolve);
    });
    return value;
  }
  append(topics: readonly TopicHistory[], entry: TopicEntry): Promise<LoggedEntry> {
    return this.#later(this.inner.append(topics, entry) as LoggedEntry);
  }
  head(): Promise<Position> {
    return this.#later(this.inner.head() as Position);
  }
  since(position: Position): Promise<readonly LoggedEntry[] | undefined> {
    return this.#later(this.inner.since(position) as readonly LoggedEntry[] | undefined);
  }
  after(topics: readonly TopicHistory[], position: Position): Promise<Missed> {
    return this.#later(this.inner.after(topics, position) as Missed);
  }
}

/** What becomes of a message about an entry on its way to the other nodes. */
export type Carry = (deliver: () => void) => void;

/** A client that reads positions, and may be moved from node to node. */
export interface Wanderer extends PositionReader {
  /** Cuts its connection; it comes back to this node. */
  move(node: number): void;
  readonly connected: boolean;
  disconnect(): void;
}

/** Nodes with a log that they share. */
export interface HistoryNodes extends AsyncDisposable {
  readonly doors: readonly Door[];
  wander(node: number, as?: As): Promise<Wanderer>;
}

/** Starts nodes. `carry` decides what becomes of the messages about entries between them. */
export async function startNodes(
  count: number,
  {
    carry = (deliver) => deliver(),
    adapter = memoryCluster().adapter,
    ...options
  }: DoorOptions & { carry?: Carry; adapter?: NonNullable<ServerOptions["adapter"]> },
): Promise<HistoryNodes> {
  const doors: Door[] = [];
  for (let i = 0; i < count; i++) {
    const door = await open({ ...options, server: { adapter, ...options.server } });
    const its = door.served.io.of("/").adapter;
    const emit = its.serverSideEmit.bind(its);
    its.serverSideEmit = (packet) => {
      if ((packet[1] as { kind?: string }).kind !== "entry") return emit(packet);
      // Encoded now, as an adapter would.
      const copy = structuredClone(packet);
      carry(() => emit(copy));
      return undefined;
    };
    doors.push(door);
  }
  return {
    doors,
    wander: async (node, as = {}) => {
      const door = doors[node] as Door;
      const client = door.served.client({
        auth: { ...as },
        reconnection: true,
        reconnectionDelay: 10,
        reconnectionDelayMax: 30,
      });
      const reader = readPositions(client);
      record(client);
      await new Promise<void>((resolve) => {
        client.once("connect", resolve);
        client.connect();
      });
      await client.emitWithAck("sync");
      return Object.defineProperties(
        {
          move: (to: number) => {
            // Socket.IO's client has no public way to go elsewhere; a balancer has.
            (client.io as unknown as { uri: string }).uri = (doors[to] as Door).served.url;
            client.io.engine.close();
          },
          disconnect: () => void client.disconnect(),
        },
        {
          ...Object.getOwnPropertyDescriptors(reader),
          connected: { get: () => client.connected },
        },
      ) as Wanderer;
    },
    [Symbol.asyncDispose]: async () => {
      for (const door of doors) await door[Symbol.asyncDispose]();
    },
  };
}
