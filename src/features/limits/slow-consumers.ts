import type { Transport, TransportWatch } from "../../events/transports.js";
import { ClientFaults } from "../../lifecycle/log.js";
import type { Logger } from "../../lifecycle/logger.js";
import { option, type Option, type Options, readOptions } from "../../events/option-table.js";

// Declarations are made file by file (isolatedDeclarations), so that each line of a table says its type by an `as`.
// oxlint-disable typescript/no-unnecessary-type-assertion

/** How much may wait for a client that does not read: see {@link Limits.slowConsumers}. */
export interface SlowConsumerOptions {
  /**
   * How many bytes may wait to be written to one connection, in the process; one that is behind and would have more ends. Put it above what
   * you write to a client in one turn, such as a snapshot: that much waits for a moment, whoever reads.
   *
   * @default 1_000_000
   */
  maxBytes?: number;
}

const table = {
  maxBytes: option(
    1_000_000,
    "a number of bytes from 1",
    (value) => typeof value === "number" && value >= 1,
  ) as Option<number>,
};

/** {@link SlowConsumerOptions}, read. */
export type CheckedSlowConsumers = Options<typeof table>;

/**
 * Reads the limit of slow consumers.
 *
 * @throws TypeError naming the option, what was expected and what was given
 */
export function readSlowConsumers(options: SlowConsumerOptions): CheckedSlowConsumers {
  return readOptions("limits.slowConsumers", table, options);
}

/** What a {@link SlowConsumers} works with. */
export interface SlowConsumersInit {
  readonly options: CheckedSlowConsumers;
  readonly watch: TransportWatch;
  readonly bufferedBytes: (transport: Transport) => number;
  readonly log: Logger;
  /** Told of each connection that is ended. */
  readonly onEnded: () => void;
}

/** The part of an engine's connection that is read here: `packetCreate` and `writeBuffer` of engine.io, `terminate` of ws. */
interface Behind {
  readonly writeBuffer: readonly object[];
  readonly transport: { readonly writable: boolean; readonly socket?: { terminate?(): void } };
  on(event: "packetCreate", listener: (this: Behind, packet: Packet) => void): void;
  off(event: "packetCreate", listener: (this: Behind, packet: Packet) => void): void;
}

/** A packet that is about to wait. */
interface Packet {
  readonly data?: unknown;
}

/** Since when a list of packets waits. A connection makes a new list each time it has handed all to its transport. */
type Since = "this turn" | "an earlier turn" | "its end";

/**
 * Ends connections for which too much waits. The engine tells of each packet before it waits, and only at connections that can't be written
 * to at the moment anything is looked at. What a client reads at once is gone in the same turn: so a connection ends at once if its packets
 * have waited since an earlier turn, else at the end of the turn, if they are still there (decision 0065).
 */
export class SlowConsumers {
  readonly #init: SlowConsumersInit;
  readonly #ended: ClientFaults;
  readonly #since = new WeakMap<readonly object[], Since>();
  readonly #watched = new Set<Transport>();
  readonly #onPacket: (this: Behind, packet: Packet) => void;
  readonly #onClose: (this: Transport) => void;
  readonly #off: () => void;

  constructor(init: SlowConsumersInit) {
    this.#init = init;
    this.#ended = new ClientFaults(init.log, "connections were ended whose clients do not read");
    const look = (transport: Transport, packet: Packet): void => this.#look(transport, packet);
    const watched = this.#watched;
    // One function for all of them: the emitter says who it is about.
    this.#onPacket = function onPacket(packet) {
      if (!this.transport.writable) look(this as unknown as Transport, packet); // what it was put on
    };
    this.#onClose = function onClose() {
      watched.delete(this);
    };
    this.#off = init.watch.each((transport) => {
      watched.add(transport);
      behind(transport).on("packetCreate", this.#onPacket);
      transport.on("close", this.#onClose);
    });
  }

  /** Ends nobody any more. */
  close(): void {
    this.#off();
    for (const transport of this.#watched) {
      behind(transport).off("packetCreate", this.#onPacket);
      transport.off("close", this.#onClose);
    }
    this.#watched.clear();
  }

  #look(transport: Transport, { data }: Packet): void {
    const { writeBuffer } = behind(transport);
    const since = this.#since.get(writeBuffer);
    if (since === undefined) {
      this.#since.set(writeBuffer, "this turn");
      setImmediate(() => this.#nextTurn(transport, writeBuffer));
    } else if (since === "an earlier turn") this.#endIfOver(transport, sizeOf(data));
  }

  #nextTurn(transport: Transport, waited: readonly object[]): void {
    const { writeBuffer } = behind(transport);
    if (writeBuffer !== waited || waited.length === 0) return;
    this.#since.set(waited, "an earlier turn");
    this.#endIfOver(transport, 0);
  }

  #endIfOver(transport: Transport, more: number): void {
    const { bufferedBytes, options, onEnded } = this.#init;
    const waiting = bufferedBytes(transport);
    // One packet alone may be larger.
    if (waiting === 0 || waiting + more <= options.maxBytes) return;
    this.#since.set(behind(transport).writeBuffer, "its end");
    onEnded();
    this.#ended.write(() => {
      return { fields: { waiting }, message: "a connection was ended whose client does not read what it is sent" };
    });
    // Not in the middle of a broadcast, which others are to get.
    process.nextTick(() => end(transport));
  }
}

/** With what waits: a client that does not read would not read a goodbye either. */
function end(transport: Transport): void {
  const { socket } = behind(transport).transport;
  transport.close(true);
  socket?.terminate?.();
}

/** The same object, with what its own type calls private, or leaves out. */
function behind(transport: Transport): Behind {
  return transport as unknown as Behind;
}

function sizeOf(data: unknown): number {
  if (typeof data === "string") return Buffer.byteLength(data);
  return ArrayBuffer.isView(data) ? data.byteLength : 0;
}
