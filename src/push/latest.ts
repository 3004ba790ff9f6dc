import type { EventEmitter } from "node:events";
import type { Namespace, Socket } from "socket.io";

/** How many keys may wait for one connection. */
const MOST_KEYS = 100;

/** The part of Engine.IO's connection that tells whether it can be written to. Its events are Engine.IO's own (`transport.ts`, `socket.ts`). */
interface Connection extends EventEmitter {
  readonly transport: EventEmitter & { readonly writable: boolean };
}

/** A push that waits for one socket. */
export interface LatestPush {
  readonly event: string;
  readonly payload: readonly unknown[];
  /** Whether it is still meant for the socket when its turn has come. */
  readonly isFor: (socket: Socket) => boolean;
}

/** What waits for one connection, by socket, event and key. */
type Kept = Map<string, { readonly id: string; readonly push: LatestPush }>;

/**
 * Pushes of which only the newest counts, for connections that are behind: one that can't be written to at the moment keeps the newest of
 * each key, and is sent what is kept when it can be written to.
 */
export class Latest {
  readonly #namespace: Namespace;
  readonly #waiting = new WeakMap<Connection, Kept>();
  readonly #onError: (event: string, error: unknown) => void;
  /** How many were replaced by a newer one before they were sent. */
  replaced = 0;

  /** @param onError is told what can't be sent after all */
  constructor(namespace: Namespace, onError: (event: string, error: unknown) => void) {
    this.#namespace = namespace;
    this.#onError = onError;
  }

  /**
   * Keeps a push for a socket that is behind.
   *
   * @returns false if it is not behind, or keeps as many already: then it is to be sent now
   */
  keep(id: string, key: string, push: LatestPush): boolean {
    const { conn } = this.#namespace.sockets.get(id) as Socket; // of this node, now
    const connection = conn as unknown as Connection; // as the emitter it is
    const waiting = this.#waiting.get(connection);
    if (waiting === undefined && connection.transport.writable) return false;
    // With the lengths in front, no two triples spell the same.
    const name = `${id.length}:${id}${push.event.length}:${push.event}${key}`;
    if (waiting === undefined) {
      const kept: Kept = new Map([[name, { id, push }]]);
      this.#waiting.set(connection, kept);
      this.#await(connection, kept);
      return true;
    }
    if (waiting.has(name)) this.replaced++;
    else if (waiting.size >= MOST_KEYS) return false;
    waiting.set(name, { id, push });
    return true;
  }

  #await(connection: Connection, kept: Kept): void {
    const { transport } = connection;
    const end = (): void => {
      transport.off("ready", onWritable);
      connection.off("upgrade", onWritable);
      connection.off("close", end);
      this.#waiting.delete(connection);
    };
    const onWritable = (): void => {
      end();
      for (const { id, push } of kept.values()) {
        const socket = this.#namespace.sockets.get(id);
        try {
          if (socket !== undefined && push.isFor(socket)) socket.emit(push.event, ...push.payload);
        } catch (error) {
          // From inside Engine.IO, where nobody catches it.
          this.#onError(push.event, error);
        }
      }
    };
    // Engine.IO's own listener, which writes what else waits, is before this one.
    transport.on("ready", onWritable);
    connection.on("upgrade", onWritable);
    connection.on("close", end);
  }
}
