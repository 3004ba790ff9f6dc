import type { Transport, TransportWatch } from "../../events/transports.js";

/** Closes transports that are in no namespace for too long: those that never joined one, and those that have left their last. */
export class JoinDeadline {
  readonly #watch: TransportWatch;
  readonly #withinMs: number;
  readonly #onLate: () => void;
  readonly #timers = new Map<Transport, NodeJS.Timeout>();
  /** Those of which it is known what they are in: not those that were there before. */
  readonly #known = new WeakSet<Transport>();
  readonly #off: () => void;
  readonly #onClose: (this: Transport) => void;

  /** @param onLate told of each that is closed */
  constructor(watch: TransportWatch, withinMs: number, onLate: () => void) {
    this.#watch = watch;
    this.#withinMs = withinMs;
    this.#onLate = onLate;
    const forget = (transport: Transport): void => this.#forget(transport);
    // One function for all of them: the emitter says who it is about.
    this.#onClose = function onClose() {
      forget(this);
    };
    this.#off = watch.each((transport, isNew) => {
      if (!isNew) return;
      this.#known.add(transport);
      this.begin(transport);
    });
  }

  /** It has to join from now on. */
  begin(transport: Transport): void {
    if (!this.#known.has(transport) || transport.readyState !== "open") return;
    this.#forget(transport);
    const timer = setTimeout(() => this.#due(transport), this.#withinMs);
    timer.unref();
    this.#timers.set(transport, timer);
    transport.on("close", this.#onClose);
  }

  /** Closes nothing any more. */
  close(): void {
    this.#off();
    for (const transport of [...this.#timers.keys()]) this.#forget(transport);
  }

  #due(transport: Transport): void {
    this.#forget(transport);
    if (this.#watch.isIn(transport)) return;
    this.#onLate();
    transport.close(true);
  }

  #forget(transport: Transport): void {
    clearTimeout(this.#timers.get(transport));
    this.#timers.delete(transport);
    transport.off("close", this.#onClose);
  }
}
