import type { Namespace } from "socket.io";
import type { Logger } from "../lifecycle/logger.js";
import { packed, unpacked } from "./node-bytes.js";

/** What one node says to the others. Nodes trust each other; clients can't reach this. */
export interface NodeMessage {
  readonly kind: string;
  readonly [key: string]: unknown;
}

/** Whom something reached. */
export interface Reach {
  /** How many sockets, on all nodes. */
  sockets: number;
  /** How many nodes had at least one of them. */
  nodes: number;
  /** False when a node did not answer or failed, or the adapter can't tell how many there are: there may be more. */
  complete: boolean;
}

/** What the other nodes answered. */
export interface Answers<T> {
  /** In no order. */
  readonly answers: readonly T[];
  /** False when a node did not answer in time or failed, or nobody can say how many there are. */
  readonly complete: boolean;
}

/** Not heard for this many heartbeats, a node is taken for dead. */
export const MISSED_BEATS = 3;

type Peers = "some" | "none" | "unknown";
type Listener = (message: never) => unknown;
type Acknowledge = (error: Error | null, answers: unknown[] | undefined) => void;

const EVENT = "ingress:realtime";

/** How long answers are waited for at most, in milliseconds. Adapters have limits of their own; that of Redis forgets a question it can't count for. */
const ASK_MAX_MS = 60_000;

/**
 * The other nodes of one namespace, over the adapter's server-side events. With the in-memory adapter there are none, and
 * nothing is sent.
 */
export class Cluster {
  readonly #namespace: Namespace;
  readonly #log: Logger;
  readonly #listeners = new Map<string, Listener>();
  /** Whether there were others when that was last asked, or one was heard. */
  #known: Peers | undefined;
  #onOther: () => void = () => undefined;
  /** Whether a message of a kind that is not known here was told of. */
  #strange = false;

  /** @throws Error if this namespace has a realtime door already: both would answer the same messages */
  constructor(namespace: Namespace, log: Logger) {
    if (namespace.listenerCount(EVENT) > 0) throw new Error(`the namespace ${namespace.name} has a Realtime already`);
    this.#namespace = namespace;
    this.#log = log;
    namespace.on(EVENT as never, this.#receive as never);
  }

  /** What to do with messages of one kind. What it returns is the answer, if the sender wants one. */
  on<Message extends NodeMessage>(kind: Message["kind"], listener: (message: Message) => unknown): void {
    this.#listeners.set(kind, listener);
  }

  /** Whom to tell at each message of another node that there is one. */
  onOther(listener: () => void): void {
    this.#onOther = listener;
  }

  /**
   * Tells all other nodes. Never rejects.
   *
   * @param whom `fresh`: the adapter is asked whether there are any; `known`: not if it was before, since with some it takes a round trip
   */
  async tell(message: NodeMessage, whom: "fresh" | "known" = "fresh"): Promise<void> {
    const peers = whom === "known" && this.#known !== undefined ? this.#known : await this.#peers();
    if (peers !== "none") this.#send(message, () => undefined);
  }

  /** Asks all other nodes and waits for their answers, as long as the adapter does, and for a minute at most. Never rejects. */
  async ask<T>(message: NodeMessage): Promise<Answers<T>> {
    const peers = await this.#peers();
    if (peers === "none") return { answers: [], complete: true };
    if (peers === "unknown") {
      // Whom to wait for can't be known, but what is to be done there is not left undone.
      this.#send(message, () => undefined);
      return { answers: [], complete: false };
    }
    return new Promise((resolve) => {
      const fail = (): void => acknowledge(new Error("no answer"), []);
      const limit = setTimeout(fail, ASK_MAX_MS);
      limit.unref();
      const acknowledge: Acknowledge = (error, given = []) => {
        clearTimeout(limit);
        // A node that failed answers nothing.
        const answers = given.filter((answer) => answer !== undefined && answer !== null).map(unpacked) as T[];
        resolve({ answers, complete: error === null && answers.length === given.length });
      };
      this.#send(message, fail, acknowledge);
    });
  }

  /** Asks all other nodes how many sockets they have to do with something, and adds those of this one. */
  async sum(here: number, message: NodeMessage): Promise<Reach> {
    const { answers, complete } = await this.ask<number>(message);
    return reachOf([here, ...answers], complete);
  }

  /** Hears and answers nothing any more. */
  close(): void {
    this.#namespace.off(EVENT, this.#receive as never);
    this.#listeners.clear();
  }

  async #peers(): Promise<Peers> {
    try {
      this.#known = (await this.#namespace.adapter.serverCount()) > 1 ? "some" : "none";
    } catch (error) {
      this.#log.warn({ err: error }, "the adapter could not count its servers");
      this.#known = "unknown";
    }
    return this.#known;
  }

  // Through the adapter and not `namespace.serverSideEmit`, which drops the adapter's promise: a Redis that is down would be an
  // unhandled rejection.
  #send(message: NodeMessage, failed: () => void, ...acknowledge: Acknowledge[]): void {
    const onError = (error: unknown): void => {
      this.#log.error({ err: error }, "the adapter could not reach the other nodes");
      failed();
    };
    try {
      const packet = [EVENT, packed(message), ...acknowledge];
      Promise.resolve(this.#namespace.adapter.serverSideEmit(packet) as unknown).catch(onError);
    } catch (error) {
      onError(error);
    }
  }

  readonly #receive = (message: NodeMessage, acknowledge?: (answer: unknown) => void): void => {
    this.#known = "some";
    this.#onOther();
    void this.#answer(unpacked(message) as NodeMessage).then((answer) => acknowledge?.(answer));
  };

  async #answer(message: NodeMessage): Promise<unknown> {
    const listener = this.#listeners.get(message?.kind);
    if (listener === undefined && !this.#strange) {
      this.#strange = true;
      this.#log.warn({ kind: message?.kind }, "another node says what this version does not know; it is ignored");
    }
    try {
      return packed(await listener?.(message as never));
    } catch (error) {
      this.#log.error({ err: error, kind: message?.kind }, "a message of another node failed");
      return undefined;
    }
  }
}

/** Adds up what each node counted. */
export function reachOf(counts: readonly number[], complete: boolean): Reach {
  const reached = counts.filter((count) => count > 0);
  return { sockets: reached.reduce((sum, count) => sum + count, 0), nodes: reached.length, complete };
}
