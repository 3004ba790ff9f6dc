import { unsendable } from "../wire/sendable.js";
import { describeValue } from "../wire/values.js";
import type { Answers, Cluster, NodeMessage } from "./cluster.js";

/**
 * The messages of one feature between the nodes of a namespace: `realtime.cluster(name)`. A node hears what others send, never what it
 * sends itself. Without other nodes nothing is sent.
 *
 * @example
 * const messages = realtime.cluster("scores");
 * const off = messages.on("best", () => best);
 * await messages.tell("changed", { room: 42 });
 * const { answers, complete } = await messages.ask<number>("best");
 */
export interface ClusterMessages {
  /**
   * Hears messages of one kind; what `listener` returns, or resolves to, answers who asks. One that fails is logged, and is no answer.
   *
   * @returns the undo
   * @throws Error if there is a listener of this kind
   */
  on(kind: string, listener: (data: any) => unknown): () => void;
  /** Tells all other nodes, and never rejects. @throws TypeError if the data can't be sent */
  tell(kind: string, data?: unknown): Promise<void>;
  /**
   * Asks all other nodes, and never rejects. `complete: false` says that a node did not answer, failed, or does not know this kind.
   *
   * @throws TypeError if the data can't be sent
   */
  ask<Answer = unknown>(kind: string, data?: unknown): Promise<Answers<Answer>>;
}

interface Message extends NodeMessage {
  readonly kind: "message";
  readonly name: string;
  readonly what: string;
  readonly data: unknown;
}

/** All such messages of one door. What is listened to outlives its setups; what is sent while there is none reaches nobody. */
export class AllClusterMessages {
  readonly #listeners = new Map<string, (data: unknown) => unknown>();
  readonly #cluster: () => Cluster | undefined;

  /** @param cluster the nodes, while the door is set up */
  constructor(cluster: () => Cluster | undefined) {
    this.#cluster = cluster;
  }

  /** Hears the messages of other nodes from now on. */
  listen(cluster: Cluster): void {
    cluster.on<Message>("message", async ({ name, what, data }) => {
      const listener = this.#listeners.get(keyOf(name, what));
      // In a list, as an answer that is nothing is an answer.
      return listener === undefined ? undefined : [await listener(data)];
    });
  }

  /** Those of one name. */
  named(name: string): ClusterMessages {
    if (typeof name !== "string" || name === "")
      throw new TypeError(`cluster: expected a name, got ${describeValue(name)}`);
    const messageOf = (what: string, data: unknown): Message => {
      const reason = unsendable(data);
      if (reason !== undefined) throw new TypeError(`cluster "${name}": "${what}" can't be sent: ${reason}`);
      return { kind: "message", name, what, data };
    };
    return {
      on: (what, listener) => {
        if (typeof listener !== "function")
          throw new TypeError(`cluster "${name}": a listener must be a function, got ${describeValue(listener)}`);
        const key = keyOf(name, what);
        if (this.#listeners.has(key)) throw new Error(`cluster "${name}": "${what}" has a listener already`);
        this.#listeners.set(key, listener);
        return () => {
          if (this.#listeners.get(key) === listener) this.#listeners.delete(key);
        };
      },
      tell: (what, data) => {
        const message = messageOf(what, data);
        return this.#cluster()?.tell(message) ?? Promise.resolve();
      },
      ask: async <Answer>(what: string, data?: unknown): Promise<Answers<Answer>> => {
        const message = messageOf(what, data);
        const cluster = this.#cluster();
        if (cluster === undefined) return { answers: [], complete: false };
        const { answers, complete } = await cluster.ask<[Answer]>(message);
        return { answers: answers.map(([answer]) => answer), complete };
      },
    };
  }
}

/** With the length in front, no two pairs spell the same. */
function keyOf(name: string, what: string): string {
  return `${name.length}:${name}${what}`;
}
