import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import type { Told, Wanted } from "./protocol.js";

/** One place of the cluster: the process that is there at the moment. */
interface Place {
  process: ChildProcess;
  port: number;
}

/** Three nodes on one Redis, behind a balancer that leads each connection to one of those that live, by turns. */
export class Nodes implements AsyncDisposable {
  readonly #redis: string;
  readonly #places: Place[] = [];
  readonly #ending = new WeakSet<ChildProcess>();
  readonly #sockets = new Set<Socket>();
  readonly #confirmed: (n: number) => void;
  readonly #balancer = createServer((client) => this.#lead(client));
  #turn = 0;
  #closed = false;
  /** Processes that ended though nobody ended them, and rejections nobody handled. */
  readonly faults: string[] = [];
  /** Pushes that a node could not take, by why. */
  readonly refused = new Map<number, string>();
  url = "";

  private constructor(redis: string, confirmed: (n: number) => void) {
    this.#redis = redis;
    this.#confirmed = confirmed;
  }

  /** @param confirmed is told of each push that is in the log */
  static async start(redis: string, confirmed: (n: number) => void): Promise<Nodes> {
    const nodes = new Nodes(redis, confirmed);
    nodes.#places.push(...(await Promise.all([nodes.#fork(), nodes.#fork(), nodes.#fork()])));
    nodes.#balancer.listen(0, "127.0.0.1");
    await once(nodes.#balancer, "listening");
    nodes.url = `http://127.0.0.1:${(nodes.#balancer.address() as AddressInfo).port}`;
    return nodes;
  }

  /** Where a node itself listens. */
  urlOf(node: number): string {
    return `http://127.0.0.1:${this.#place(node).port}`;
  }

  /** Have a node push. One that is ended or stopped meanwhile may or may not have taken it. */
  push(node: number, n: number, topics: string[]): void {
    const { process } = this.#place(node);
    // It may be gone by the time this is written.
    if (process.connected) process.send({ push: { n, topics } } satisfies Wanted, () => undefined);
  }

  /** `kill -9`, and another process in its place. */
  async kill(node: number): Promise<void> {
    const { process } = this.#place(node);
    this.#ending.add(process);
    process.kill("SIGKILL");
    await once(process, "exit");
    this.#places[node] = await this.#fork();
  }

  /** Keep a node from doing anything for a while. */
  async pause(node: number, forMs: number): Promise<void> {
    const { process } = this.#place(node);
    process.kill("SIGSTOP");
    await new Promise((resolve) => setTimeout(resolve, forMs));
    process.kill("SIGCONT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#balancer.close();
    for (const socket of this.#sockets) socket.destroy();
    for (const { process } of this.#places) {
      this.#ending.add(process);
      process.kill("SIGKILL");
    }
  }

  #place(node: number): Place {
    const place = this.#places[node];
    if (place === undefined) throw new Error(`there is no node ${node}`);
    return place;
  }

  async #fork(): Promise<Place> {
    const process = fork(fileURLToPath(new URL("node.ts", import.meta.url)), [this.#redis], {
      execArgv: ["--import", "tsx"],
    });
    process.on("exit", (code, signal) => {
      if (!this.#ending.has(process)) this.faults.push(`a node ended by itself: ${code ?? signal}`);
    });
    const port = await new Promise<number>((resolve) => {
      process.on("message", (told: Told) => {
        if ("port" in told) resolve(told.port);
        else if ("pushed" in told) this.#confirmed(told.pushed);
        else if ("refused" in told) this.refused.set(told.refused, told.why);
        else this.faults.push(`a rejection that nobody handled: ${told.unhandled}`);
      });
    });
    return { process, port };
  }

  #lead(client: Socket): void {
    const { port } = this.#place(this.#turn++ % this.#places.length);
    const server = connect(port, "127.0.0.1");
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(from);
      from.on("error", () => undefined);
      from.on("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
    if (this.#closed) client.destroy();
  }
}
