import type { FarEndPeer } from "../socket-io/far-end.js";
import type { FakeConnection, FakeEngine, FakeRequest, LostReason } from "./fake-connection.js";
import { Link } from "./link.js";
import { faultable, packetType, type Packet, type Parser } from "./socket-io-parts.js";

/** A namespace of one client: what happens on the line to it. */
export interface FakeClientNamespace {
  readonly namespace: string;
  onPacket(packet: Packet): void;
  onLost(reason: string): void;
}

/** The client's end of one fake connection, shared by the namespaces it joined: the part of socket.io-client's Manager. */
export class FakeClient implements FarEndPeer {
  readonly connection: FakeConnection;
  readonly link: Link;
  readonly #namespaces = new Map<string, FakeClientNamespace>();
  readonly #encoder: InstanceType<Parser["Encoder"]>;
  readonly #decoder: InstanceType<Parser["Decoder"]>;
  /** Why it was lost, as the client sees it. */
  #reason = "transport close";

  constructor(engine: FakeEngine, parser: Parser, request: FakeRequest, link: Link = new Link()) {
    this.link = link;
    this.#encoder = new parser.Encoder();
    this.#decoder = new parser.Decoder();
    this.#decoder.on("decoded", (packet: Packet) => this.#decoded(packet));
    this.connection = engine.open(request, this);
  }

  /** Whether the line is up. */
  get open(): boolean {
    return this.connection.readyState === "open";
  }

  /** Asks to join a namespace. `preset` is what the server's `socket.data` starts with. */
  join(socket: FakeClientNamespace, auth: unknown, preset: unknown): void {
    const { namespace } = socket;
    if (this.#namespaces.has(namespace)) throw new Error(`this connection is in the namespace ${namespace} already`);
    this.#namespaces.set(namespace, socket);
    if (preset !== undefined) this.connection.presets.set(namespace, preset);
    this.send({ type: packetType.connect, nsp: namespace, data: auth });
  }

  /** A namespace is done with; the last one takes the connection with it, as in socket.io-client. */
  leave(namespace: string): void {
    this.#namespaces.delete(namespace);
    if (this.#namespaces.size > 0) return;
    // Later, so that the packets before it are served first.
    process.nextTick(() => this.connection.lose("transport close"));
  }

  /** Encodes and sends a packet. */
  send(packet: Packet): void {
    const disturbed = faultable(packet.type) && this.link.disturbed("toServer");
    const chunks = this.#encoder.encode(packet);
    const deliver = (): void => {
      for (const chunk of chunks) this.connection.incoming(chunk);
    };
    if (disturbed) this.link.pass("toServer", deliver);
    else deliver();
  }

  /** Takes the line away. */
  lose(reason: LostReason): void {
    this.connection.lose(reason);
  }

  receive(chunk: string | Buffer): void {
    try {
      this.#decoder.add(chunk);
    } catch {
      // As socket.io-client does (`Manager.ondata`): it closes the transport, which is what the server hears of.
      this.#reason = "parse error";
      this.connection.abandon("transport close");
    }
  }

  lost(): void {
    this.link.cut();
    const sockets = [...this.#namespaces.values()];
    this.#namespaces.clear();
    for (const socket of sockets) socket.onLost(this.#reason);
  }

  #decoded(packet: Packet): void {
    const socket = this.#namespaces.get(packet.nsp);
    if (socket === undefined) return;
    if (!faultable(packet.type) || !this.link.disturbed("toClient")) return socket.onPacket(packet);
    // A fresh array for each delivery: a listener may keep or change the one it is given.
    this.link.pass("toClient", () => socket.onPacket({ ...packet, data: [...(packet.data as unknown[])] }));
  }
}
