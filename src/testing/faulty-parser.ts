import { EventEmitter } from "node:events";
import type { Link } from "./link.js";
import { faultable, type Packet, type Parser } from "./socket-io-parts.js";

/**
 * A parser for socket.io-client that lets a {@link Link} disturb what it encodes and decodes. A parser is the one place where
 * Socket.IO's public API shows every packet, whole, in both directions.
 *
 * @param write sends encoded chunks later than the client meant to
 */
export function faultyParser(inner: Parser, link: Link, write: (chunks: unknown[]) => void): Parser {
  return {
    Encoder: class {
      readonly #inner = new inner.Encoder();

      encode(packet: Packet): unknown[] {
        const chunks = this.#inner.encode(packet);
        if (!faultable(packet.type) || !link.disturbed("toServer")) return chunks;
        link.pass("toServer", () => write(chunks));
        return [];
      }
    },
    Decoder: class extends EventEmitter {
      readonly #inner = new inner.Decoder();

      constructor() {
        super();
        this.#inner.on("decoded", (packet: Packet) => {
          if (!faultable(packet.type) || !link.disturbed("toClient")) return void this.emit("decoded", packet);
          // A fresh array for each delivery: the client adds its acknowledgement to the one it is given.
          link.pass(
            "toClient",
            () =>
              void this.emit("decoded", {
                ...packet,
                data: [...(packet.data as unknown[])],
              }),
          );
        });
      }

      add(chunk: unknown): void {
        this.#inner.add(chunk);
      }

      /** Called by the client when a connection ends, and before one begins. */
      destroy(): void {
        this.#inner.destroy();
        link.cut();
      }
    },
  };
}
