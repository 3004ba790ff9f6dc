import type { ServerOptions } from "socket.io";
import { adapterPackage, defaultParser, packetType, type Packet, type Parser } from "./socket-io-parts.js";

/** What nodes tell each other, as Socket.IO's cluster protocol has it: opaque here. */
interface ClusterMessage {
  readonly uid: string;
  readonly nsp: string;
}

interface Node {
  readonly uid: string;
  readonly namespace: string;
  onMessage(message: ClusterMessage): void;
  onResponse(response: ClusterMessage): void;
}

/** The part of socket.io-adapter's `ClusterAdapter` that a subclass is built on. */
interface ClusterAdapterBase {
  readonly uid: string;
  readonly nsp: { readonly name: string };
  onMessage(message: ClusterMessage): void;
  onResponse(response: ClusterMessage): void;
  close(): void | Promise<void>;
}

/** Several servers in one process, joined as a cluster would join them; see {@link memoryCluster}. */
export interface MemoryCluster {
  /** Socket.IO's `adapter` option, for every server that shall belong to the cluster. */
  readonly adapter: NonNullable<ServerOptions["adapter"]>;
  /**
   * Cuts all nodes off from each other; what they send meanwhile is lost.
   *
   * @returns the function that joins them again
   */
  partition(): () => void;
}

/**
 * Joins servers in one process by Socket.IO's own cluster protocol, the one its Redis, PostgreSQL and Node cluster adapters speak:
 * broadcasts, `fetchSockets`, `socketsJoin`, `serverSideEmit` and acknowledgements cross from node to node, as encoded copies, later
 * than the call that sent them. There are no heartbeats and no timers: a node leaves when its server closes.
 *
 * @example
 * const { adapter } = memoryCluster();
 * const [one, two] = [fakeServer<App>({ adapter }), fakeServer<App>({ adapter })];
 */
export function memoryCluster(): MemoryCluster {
  const nodes = new Set<Node>();
  const parser = defaultParser();
  let partitions = 0;

  // A copy, later: nodes share no memory, and the sender's code runs on before anyone hears of it.
  const post = (deliver: (copy: ClusterMessage) => void, message: ClusterMessage): void => {
    if (partitions > 0) return;
    process.nextTick(deliver, copyOf(parser, message));
  };

  // Its constructor's type is private to socket.io-adapter; the members used here are those it documents for subclasses.
  const Base = adapterPackage().ClusterAdapter as new (namespace: unknown) => ClusterAdapterBase;

  class MemoryAdapter extends Base {
    readonly #node: Node;

    constructor(namespace: unknown) {
      super(namespace);
      this.#node = {
        uid: this.uid,
        namespace: this.nsp.name,
        onMessage: (message) => this.onMessage(message),
        onResponse: (response) => this.onResponse(response),
      };
      nodes.add(this.#node);
    }

    /** How many nodes there are in this namespace; those that are asked have to answer. */
    serverCount(): Promise<number> {
      if (partitions > 0) return Promise.resolve(1);
      let count = 0;
      for (const node of nodes) if (node.namespace === this.nsp.name) count++;
      return Promise.resolve(count);
    }

    doPublish(message: ClusterMessage): Promise<string> {
      for (const node of nodes) {
        if (node !== this.#node && node.namespace === message.nsp) post((copy) => node.onMessage(copy), message);
      }
      return Promise.resolve("");
    }

    doPublishResponse(requester: string, response: ClusterMessage): Promise<void> {
      for (const node of nodes) {
        if (node.uid === requester && node.namespace === response.nsp) post((copy) => node.onResponse(copy), response);
      }
      return Promise.resolve();
    }

    override close(): void | Promise<void> {
      nodes.delete(this.#node);
      return super.close();
    }
  }

  return {
    adapter: MemoryAdapter as unknown as NonNullable<ServerOptions["adapter"]>,
    partition() {
      partitions++;
      let joined = false;
      return () => {
        if (joined) return;
        joined = true;
        partitions--;
      };
    },
  };
}

/** What another node would read: encoded and decoded as Socket.IO does it, binary data included. */
function copyOf(parser: Parser, message: ClusterMessage): ClusterMessage {
  let copy: ClusterMessage | undefined;
  const decoder = new parser.Decoder({ maxAttachments: Number.POSITIVE_INFINITY });
  decoder.on("decoded", (packet: Packet) => void (copy = (packet.data as [string, ClusterMessage])[1]));
  for (const chunk of new parser.Encoder().encode({ type: packetType.event, nsp: "/", data: ["message", message] })) {
    // The encoder leaves binary data where it is.
    decoder.add(ArrayBuffer.isView(chunk) ? Buffer.from(Uint8Array.prototype.slice.call(chunk)) : chunk);
  }
  return copy as ClusterMessage;
}
