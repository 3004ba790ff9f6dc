import { Agent, type Server as HttpServer } from "node:http";
import { duplexPair, type Duplex } from "node:stream";

/** An HTTP agent whose connections are pairs of streams to a server in this process: no port, no socket. */
export class MemoryAgent extends Agent {
  readonly #server: HttpServer;
  readonly #pairs = new Set<readonly [Duplex, Duplex]>();

  constructor(server: HttpServer) {
    super({ keepAlive: false });
    this.#server = server;
  }

  override createConnection(): Duplex {
    const pair = duplexPair();
    const [near, far] = pair;
    // What `ws` asks of a TCP socket, before 8.13 without looking whether it is there.
    for (const end of pair) Object.assign(end, { setTimeout: () => end, setNoDelay: () => end });
    this.#pairs.add(pair);
    const gone = (): void => {
      this.#pairs.delete(pair);
      // One end closing closes the other, as TCP's would in the end.
      near.destroy();
      far.destroy();
    };
    near.once("close", gone);
    far.once("close", gone);
    // A cut line is reported by whoever uses the stream; without a listener of our own it would end the process.
    near.on("error", () => {});
    far.on("error", () => {});
    this.#server.emit("connection", Object.assign(far, { remoteAddress: "127.0.0.1" }));
    return near;
  }

  /** Cuts every connection. */
  cut(): void {
    for (const [near, far] of this.#pairs) {
      near.destroy();
      far.destroy();
    }
  }
}
