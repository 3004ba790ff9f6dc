import { checkTicks } from "./ticks.js";
import { isUnsendable } from "../wire/event-names.js";
import { describeValue, withoutTrailing } from "../wire/values.js";
import type { AppServer, AppSocket } from "../events/subscriber.js";
import type { EmitEventsOf, EventArgs, EventName } from "../wire/event-types.js";
import type { FakeClient } from "./fake-client.js";
import type { LostReason } from "./fake-connection.js";
import type {
  EmittedArgs,
  FakeDisconnectReason,
  FakeSocket,
  FakeSocketEvents,
  Heard,
  OwnName,
  ReceivedArgs,
  ReceivedReply,
  SentEvent,
  SentName,
} from "./fake-socket.js";
import type { Link } from "./link.js";
import { ConnectRefused } from "./refused.js";
import { packetType, type Packet } from "./socket-io-parts.js";

/** What a client needs from the fake server that made it. */
export interface ClientHome<App extends AppServer> {
  /** Opens a connection as the first one was opened, on a line with the same faults. */
  dial(link: Link): FakeClient;
  /** The server's side of a connected socket. */
  serverSide(namespace: string, id: string): AppSocket<App> | undefined;
  readonly namespace: string;
  readonly auth: Readonly<Record<string, unknown>>;
  readonly data: unknown;
}

type Acknowledge = (...args: unknown[]) => void;
type Listener = (...args: unknown[]) => void;

/** The machine behind a {@link FakeSocket}. */
export class ClientEnd<App extends AppServer> implements FakeSocket<App> {
  readonly namespace: string;
  readonly sent: SentEvent<App>[] = [];
  readonly #home: ClientHome<App>;
  readonly #listeners = new Map<string, Set<{ readonly listener: Listener }>>();
  readonly #unread = new Map<string, unknown[][]>();
  readonly #awaited = new Map<string, { resolve: (args: unknown[]) => void; reject: (error: Error) => void }[]>();
  readonly #acknowledgements = new Map<number, { resolve: Acknowledge; reject: (error: Error) => void }>();
  #client: FakeClient;
  #server: AppSocket<App> | undefined;
  #admission: { resolve: () => void; reject: (error: Error) => void } | undefined;
  #connected = false;
  #recovered = false;
  #active = false;
  /** Whether a real client would go on trying. */
  #trying = true;
  #id: string | undefined;
  #ackIds = 0;
  #privateId: string | undefined;
  #offset: string | undefined;

  constructor(home: ClientHome<App>, client: FakeClient) {
    this.#home = home;
    this.namespace = home.namespace;
    this.#client = client;
  }

  get id(): string | undefined {
    return this.#connected ? this.#id : undefined;
  }

  get connected(): boolean {
    return this.#connected;
  }

  get active(): boolean {
    return this.#trying;
  }

  get recovered(): boolean {
    return this.#recovered;
  }

  get link(): Link {
    return this.#client.link;
  }

  /** The connection, to be shared by another namespace. */
  get client(): FakeClient {
    return this.#client;
  }

  get server(): AppSocket<App> {
    return this.#server as AppSocket<App>; // nobody is given a socket that was never connected
  }

  receive<E extends EventName<App> | OwnName>(event: E, ...args: ReceivedArgs<App, E>): Promise<ReceivedReply<App, E>> {
    // What the server answers has the type that its event map says, or none.
    return this.emitWithAck(event, ...args) as Promise<ReceivedReply<App, E>>;
  }

  emitWithAck(event: string, ...args: unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      checkTicks(`receive("${event}")`);
      // As the typed client reads it: in Node's form the value comes second.
      const taken = (...answer: unknown[]): void =>
        resolve(answer.length === 2 && answer[0] === null ? answer[1] : answer[0]);
      this.#send(event, args, { resolve: taken, reject });
    });
  }

  emit<E extends EventName<App> | OwnName>(event: E, ...args: EmittedArgs<App, E>): this {
    checkTicks(`emit("${event}")`);
    const sent: unknown[] = [...args];
    const last = sent.at(-1);
    if (typeof last !== "function") {
      this.#send(event, sent);
      return this;
    }
    sent.pop();
    this.#send(event, sent, { resolve: last as Acknowledge, reject: () => {} });
    return this;
  }

  on<E extends SentName<App> | OwnName | keyof FakeSocketEvents>(event: E, listener: Heard<App, E>): () => void {
    if (typeof listener !== "function")
      throw new TypeError(`on("${event}"): expected a function, got ${describeValue(listener)}`);
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners);
    // An entry of its own, so that one function listening twice is two listeners.
    const entry = { listener: listener as Listener };
    listeners.add(entry);
    return () => void listeners.delete(entry);
  }

  off(event?: string, listener?: Listener): this {
    if (event === undefined) this.#listeners.clear();
    else if (listener === undefined) this.#listeners.delete(event);
    else {
      const listeners = this.#listeners.get(event) ?? new Set();
      // One of them, and the oldest, as with socket.io-client.
      for (const entry of listeners) if (entry.listener === listener) return (listeners.delete(entry), this);
    }
    return this;
  }

  listeners(event: string): Listener[] {
    return [...(this.#listeners.get(event) ?? [])].map(({ listener }) => listener);
  }

  next<E extends SentName<App>>(event: E): Promise<EventArgs<EmitEventsOf<App>[E]>> {
    const args = this.#unread.get(event)?.shift();
    if (args !== undefined) return Promise.resolve(args as EventArgs<EmitEventsOf<App>[E]>);
    return new Promise((resolve, reject) => {
      if (!this.#connected) return reject(new Error(`"${event}" can't arrive any more: the socket is not connected`));
      const awaited = this.#awaited.get(event) ?? [];
      this.#awaited.set(event, awaited);
      awaited.push({ resolve: (value) => resolve(value), reject });
    });
  }

  async disconnect(reason: FakeDisconnectReason = "client namespace disconnect"): Promise<void> {
    if (!this.#active) return;
    if (reason !== "client namespace disconnect") return this.dropTransport(reason);
    this.#client.send({ type: packetType.disconnect, nsp: this.namespace });
    this.#lost("io client disconnect");
    // Socket.IO serves a packet in the next tick; this one is queued behind it.
    await new Promise<void>((resolve) => process.nextTick(resolve));
  }

  dropTransport(reason: LostReason = "transport close"): void {
    if (!(["transport close", "transport error", "ping timeout", "parse error"] as string[]).includes(reason)) {
      throw new TypeError(
        `a client can't cause the reason ${describeValue(reason)}: disconnect from the server with socket.server.disconnect() or io.close()`,
      );
    }
    this.#client.lose(reason);
  }

  async reconnect(): Promise<this> {
    if (this.#active) throw new Error("reconnect: this fake socket is connected; drop its transport first");
    this.#client = this.#home.dial(this.link);
    await this.open();
    return this;
  }

  connect(): this {
    // Whoever refuses tells `connect_error`; here nobody waits.
    if (!this.#active) void this.reconnect().catch(() => {});
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.disconnect();
  }

  /** Joins the namespace over the present line; called by the server that made it. */
  open(): Promise<void> {
    const { auth, data } = this.#home;
    const recovery = this.#privateId === undefined ? {} : { pid: this.#privateId, offset: this.#offset };
    return new Promise((resolve, reject) => {
      this.#admission = { resolve, reject };
      this.#active = this.#trying = true;
      this.#client.join(
        {
          namespace: this.namespace,
          onPacket: (packet) => this.#onPacket(packet),
          onLost: (reason) => this.#lost(reason),
        },
        { ...auth, ...recovery },
        data,
      );
    });
  }

  #send(
    event: string,
    args: readonly unknown[],
    acknowledge?: { resolve: Acknowledge; reject: (error: Error) => void },
  ): void {
    if (isUnsendable(event)) throw new Error(`"${event}" is a reserved event name`);
    if (!this.#connected) {
      throw new Error(
        `"${event}" can't be sent: the fake socket is not connected, and unlike socket.io-client it keeps nothing for later`,
      );
    }
    const packet: Packet = { type: packetType.event, nsp: this.namespace, data: [event, ...withoutTrailing(args)] };
    if (acknowledge !== undefined) {
      packet.id = this.#ackIds++;
      this.#acknowledgements.set(packet.id, acknowledge);
    }
    this.#client.send(packet);
  }

  #onPacket(packet: Packet): void {
    switch (packet.type) {
      case packetType.connect:
        return this.#onConnect(packet.data as { sid: string; pid?: string });
      case packetType.connectError:
        return this.#onRefused(packet.data as { message: string; data?: unknown });
      case packetType.event:
        return this.#onEvent(packet);
      case packetType.ack:
        return this.#onAcknowledgement(packet);
      case packetType.disconnect:
        return this.#lost("io server disconnect");
    }
  }

  #onConnect({ sid, pid }: { sid: string; pid?: string }): void {
    this.#id = sid;
    this.#connected = true;
    this.#recovered = pid !== undefined && pid === this.#privateId;
    this.#privateId = pid;
    this.#server = this.#home.serverSide(this.namespace, sid);
    const admission = this.#admission;
    this.#admission = undefined;
    later(() => this.#tell("connect", []));
    admission?.resolve();
  }

  #onRefused({ message, data }: { message: string; data?: unknown }): void {
    this.#active = this.#trying = false;
    const admission = this.#admission;
    this.#admission = undefined;
    const error = new ConnectRefused(message, data);
    later(() => this.#tell("connect_error", [error]));
    admission?.reject(error);
    this.#leave();
  }

  #onEvent(packet: Packet): void {
    const [event, ...args] = packet.data as [string, ...unknown[]];
    this.sent.push({ event, args });
    const offset = args.at(-1);
    if (this.#privateId !== undefined && typeof offset === "string") this.#offset = offset;
    const { id } = packet;
    const client = this.#client;
    let answered = false;
    const acknowledge = (...answer: unknown[]): void => {
      if (answered) return;
      answered = true;
      client.send({ type: packetType.ack, nsp: this.namespace, id: id as number, data: answer });
    };
    later(() => {
      const awaited = this.#awaited.get(event)?.shift();
      if (awaited !== undefined) awaited.resolve(args);
      else this.#unread.set(event, [...(this.#unread.get(event) ?? []), args]);
      this.#tell(event, id === undefined ? args : [...args, acknowledge]);
    });
  }

  #onAcknowledgement({ id, data }: Packet): void {
    const acknowledgement = this.#acknowledgements.get(id as number);
    if (acknowledgement === undefined) return;
    this.#acknowledgements.delete(id as number);
    later(() => acknowledgement.resolve(...(data as unknown[])));
  }

  #lost(reason: string): void {
    const wasConnected = this.#connected;
    this.#active = false;
    this.#connected = false;
    // As socket.io-client: it comes back by itself from what nobody meant.
    this.#trying = !reason.startsWith("io ");
    const admission = this.#admission;
    this.#admission = undefined;
    admission?.reject(new Error("the connection was closed before the server answered"));
    const pending = [...this.#acknowledgements.values()];
    this.#acknowledgements.clear();
    later(() => {
      for (const { reject } of pending) reject(new Error("socket has been disconnected"));
      for (const [event, awaited] of this.#awaited) {
        for (const { reject } of awaited.splice(0))
          reject(new Error(`the socket was disconnected before "${event}" arrived`));
      }
      if (wasConnected) this.#tell("disconnect", [reason]);
    });
    if (this.#client.open) this.#leave();
  }

  #leave(): void {
    this.#client.leave(this.namespace);
  }

  #tell(event: string, args: unknown[]): void {
    for (const listener of this.listeners(event)) listener(...args);
  }
}

/**
 * A client hears of a packet after the server's code that sent it, in order. Not `process.nextTick` or `queueMicrotask`, which
 * jest's fake timers replace.
 */
function later(run: () => void): void {
  void Promise.resolve().then(run);
}
