import type { Server } from "socket.io";
import { ServiceManager, SocketIngress } from "socket-ingress";
import { Realtime, type RealtimeOptions, type TopicDefinition } from "socket-ingress/realtime";
import { fakeServer } from "socket-ingress/testing";
import type { FakeConnection, FakeEngine } from "../../../src/testing/fake-connection.js";
import { recordingLog } from "../../fixtures/recording-log.js";

/** How much clients were sent about presence: answers to joins, and changes. */
export interface Sent {
  readonly frames: number;
  readonly bytes: number;
}

/** One who is there, and the last version of presence that they were told. */
interface Person {
  readonly connection: FakeConnection;
  version: unknown;
}

/**
 * A server with one topic, and as many people as it takes. They speak the protocol by hand and keep nothing of what they are sent but how
 * much it was, counted where the server writes what it has encoded. Time may be faked, but for `setImmediate`.
 */
export class Crowd implements AsyncDisposable {
  readonly realtime: Realtime;
  readonly #io = fakeServer();
  readonly #manager: ServiceManager;
  readonly #people = new Map<string, Person>();
  #frames = 0;
  #bytes = 0;

  constructor(presence: NonNullable<TopicDefinition["presence"]>, options: RealtimeOptions = {}) {
    this.realtime = new Realtime({ user: ({ handshake }) => handshake.auth["user"] as string, ...options });
    this.realtime.topics.define("room", { public: true, presence });
    const log = recordingLog();
    const ingress = new SocketIngress({ logger: log });
    this.#manager = new ServiceManager(this.#io as Server, { logger: log, ingress }).registerHandler(this.realtime);
  }

  /** Starts the server. */
  async start(): Promise<void> {
    await this.#manager.boot();
  }

  /** Connects and joins; with a version, as one who knows that much. */
  async enter(user: string, version?: unknown): Promise<void> {
    const person: Person = {
      connection: (this.#io.engine as unknown as FakeEngine).open(
        {},
        { receive: (frame) => this.#count(person, String(frame)), lost: () => undefined },
      ),
      version,
    };
    this.#people.set(user, person);
    person.connection.incoming(`0${JSON.stringify({ user })}`);
    await turn();
    const topic = version === undefined ? "room" : { topic: "room", presence: version };
    person.connection.incoming(`20${JSON.stringify(["ingress:join", topic])}`);
    await turn();
  }

  /** The connection is lost. Returns the last version that was told on it. */
  lose(user: string): unknown {
    const person = this.#people.get(user);
    person?.connection.lose("transport close");
    return person?.version;
  }

  /** What was sent since the last time this was asked. */
  take(): Sent {
    const sent = { frames: this.#frames, bytes: this.#bytes };
    this.#frames = this.#bytes = 0;
    return sent;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#manager.shutdown({ graceMs: 0 });
  }

  #count(person: Person, frame: string): void {
    if (!frame.startsWith("3") && !frame.startsWith('2["ingress:presence"')) return;
    this.#frames++;
    this.#bytes += frame.length;
    const version = /"version":(\["[^"]*",\d+\])/.exec(frame)?.[1];
    if (version !== undefined) person.version = JSON.parse(version);
  }
}

/** What is done without waiting for anything but promises is done. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
