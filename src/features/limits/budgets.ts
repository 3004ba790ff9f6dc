import type { Arrival } from "../../events/arrival.js";
import type { AppServer, AppSocket } from "../../events/subscriber.js";
import { writeLog } from "../../lifecycle/log.js";
import type { Logger } from "../../lifecycle/logger.js";
import type { Identity, Realtime } from "../realtime/index.js";
import { addressOf } from "./address.js";
import type { LimitedBy } from "./rate-options.js";

/**
 * Whose budget an event is taken from, and where its client comes from. Keys are made once, since making and hashing one takes longer than
 * looking it up: for the identity of a socket, which is another object after a login, and for its transport, whose sockets have one handshake.
 */
export class Budgets<App extends AppServer> {
  readonly #realtime: Realtime<App> | undefined;
  readonly #trustProxy: number | undefined;
  readonly #log: () => Logger;
  #hasWarned = false;
  readonly #ofIdentity = { user: new WeakMap<Identity, string>(), session: new WeakMap<Identity, string>() };
  readonly #ofTransport = new WeakMap<object, string>();

  /** @param trustProxy how many proxies there are; `undefined` if nobody has said */
  constructor(realtime: Realtime<App> | undefined, trustProxy: number | undefined, log: () => Logger) {
    this.#realtime = realtime;
    this.#trustProxy = trustProxy;
    this.#log = log;
  }

  /** How a budget is found. Users and addresses are told apart in the key, as one stands in for the other. */
  keyOf(by: LimitedBy<App>): (arrival: Arrival<App>) => string | undefined {
    if (typeof by === "function") return by;
    if (by === "event") return ({ event }) => event;
    // Documented by engine.io, and private in its types.
    if (by === "connection") return ({ socket }) => (socket.conn as unknown as { readonly id: string }).id;
    if (by === "address") return ({ socket }) => this.addressOf(socket);
    return ({ socket }) => this.#identityOf(by, socket) ?? this.addressOf(socket);
  }

  /** Where the client of a socket comes from, as a key: `address:192.0.2.7`. */
  addressOf({ conn, handshake }: AppSocket<App>): string {
    let key = this.#ofTransport.get(conn);
    if (key === undefined) {
      key = `address:${addressOf(handshake, this.#trustProxy ?? 0)}`;
      this.#ofTransport.set(conn, key);
      if (handshake.headers["x-forwarded-for"] !== undefined) this.#warnOnce();
    }
    return key;
  }

  /** Behind a proxy that nobody has told of, all clients are one. */
  #warnOnce(): void {
    if (this.#trustProxy !== undefined || this.#hasWarned) return;
    this.#hasWarned = true;
    const message =
      "a client came with x-forwarded-for, and Limits was not told of a proxy: if there is one, all its clients count as one " +
      "address. Say trustProxy: how many proxies of yours there are, or 0.";
    writeLog(this.#log(), "warn", {}, message);
  }

  #identityOf(by: "user" | "session", socket: AppSocket<App>): string | undefined {
    const identity = this.#realtime?.identify(socket);
    if (identity?.[by] === undefined) return undefined;
    const known = this.#ofIdentity[by];
    let key = known.get(identity);
    if (key === undefined) {
      key = `${by}:${identity[by]}`;
      known.set(identity, key);
    }
    return key;
  }
}
