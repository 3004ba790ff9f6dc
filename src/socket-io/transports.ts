import type { Transport, TransportWatch } from "../events/transports.js";
import type { Connection, Engine, Engines } from "./engines.js";
import type { TransportNamespaces } from "./transport-namespaces.js";

type Follower = (transport: Transport, isNew: boolean) => void;

/**
 * Tells of the transports of a server, whichever engine they come through: by one listener on each engine, while anybody wants to be told.
 */
export class Transports implements TransportWatch {
  readonly #namespaces: TransportNamespaces;
  readonly #followers = new Set<Follower>();
  #engines: Engines | undefined;
  #unfollow: (() => void) | undefined;

  constructor(namespaces: TransportNamespaces) {
    this.#namespaces = namespaces;
  }

  each(fn: Follower): () => void {
    const follower: Follower = (transport, isNew) => fn(transport, isNew);
    if (this.#followers.size === 0)
      for (const engine of this.#engines ?? []) engine.on("connection", this.#onConnection);
    this.#followers.add(follower);
    for (const engine of this.#engines ?? []) for (const transport of openOnes(engine)) fn(transport, false);
    return () => {
      if (this.#followers.delete(follower) && this.#followers.size === 0) this.#leave();
    };
  }

  isIn(transport: Transport): boolean {
    return this.#namespaces.isIn(transport);
  }

  /** Tell of those of a server. */
  watch(engines: Engines): void {
    this.#engines = engines;
    this.#unfollow = engines.follow((engine) => {
      if (this.#followers.size === 0) return;
      engine.on("connection", this.#onConnection);
      for (const transport of openOnes(engine)) this.#tell(transport, false);
    });
  }

  /** Leave its engines alone. */
  unwatch(): void {
    this.#unfollow?.();
    this.#leave();
    this.#engines = undefined;
  }

  readonly #onConnection = (transport: Connection): void => this.#tell(asTransport(transport), true);

  #leave(): void {
    for (const engine of this.#engines ?? []) engine.off("connection", this.#onConnection);
  }

  #tell(transport: Transport, isNew: boolean): void {
    for (const follower of this.#followers) follower(transport, isNew);
  }
}

function openOnes(engine: Engine): Transport[] {
  return Object.values(engine.clients ?? {}).map(asTransport);
}

/** The same object, as Socket.IO's own types call it. */
function asTransport(connection: Connection): Transport {
  return connection as unknown as Transport;
}
