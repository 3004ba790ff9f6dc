import type { EventEmitter } from "node:events";
import type { Server } from "socket.io";

/** What Engine.IO calls a socket, as far as this room needs it: one transport, whatever namespaces it enters. */
export interface Connection extends EventEmitter {
  readonly protocol: number;
  /** Absent on connections that are no Engine.IO's own. */
  readonly server?: Engine;
  /** The packets that wait until its transport can be written to. */
  readonly writeBuffer?: readonly { readonly type: string; readonly data?: unknown }[];
  /** What it is carried by; of a WebSocket, with the `ws` or uWebSockets.js socket. */
  readonly transport?: { readonly name: string; readonly socket?: object };
  close(discard?: boolean): void;
}

/** An Engine.IO server: where connections come from. It tells of a new one (`connection`) and of what is written (`flush`). */
export interface Engine extends EventEmitter {
  /** Its open connections by id. */
  readonly clients?: Readonly<Record<string, Connection>>;
}

/**
 * The engines of one Socket.IO server. It may have none yet, and one more with each `io.attach`, which Socket.IO then forgets: so
 * an engine is also found by the first connection that comes through it (decision 0036).
 */
export class Engines {
  readonly #io: Server;
  readonly #known = new Set<Engine>();
  readonly #followers = new Set<(engine: Engine) => void>();

  constructor(io: Server) {
    this.#io = io;
    this.look();
  }

  /**
   * Calls `onEngine` once for each engine, those there are already included.
   *
   * @returns the function that ends it
   */
  follow(onEngine: (engine: Engine) => void): () => void {
    this.#followers.add(onEngine);
    for (const engine of this.#known) onEngine(engine);
    return () => void this.#followers.delete(onEngine);
  }

  /** Whether the server has another engine by now, by itself or as this connection tells. */
  look(connection?: Connection): void {
    this.#meet(connection?.server);
    // Typed as always there, it comes with `listen` or `attach`.
    this.#meet(this.#io.engine as unknown as Engine | undefined);
  }

  [Symbol.iterator](): Iterator<Engine> {
    return this.#known.values();
  }

  #meet(engine: Engine | undefined): void {
    if (engine === undefined || this.#known.has(engine)) return;
    this.#known.add(engine);
    for (const onEngine of this.#followers) onEngine(engine);
  }
}
