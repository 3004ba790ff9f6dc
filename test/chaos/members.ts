import { io, type Socket } from "socket.io-client";
import { type Client, createClient } from "socket-ingress/client";

interface Calls {
  work(id: string, reply: (id: string) => void): void;
}

/** A socket that comes back whenever it is cut off. */
export function connect(url: string, user: string): Socket {
  return io(url, {
    transports: ["websocket"],
    forceNew: true,
    reconnectionDelay: 50,
    reconnectionDelayMax: 300,
    timeout: 2_000,
    auth: { user },
  });
}

/** The typed client of a socket; what it would warn of is what this suite causes. */
export function clientOf(socket: Socket): Client<Calls> {
  return createClient<Calls>(socket, { logger: { error: () => undefined, warn: () => undefined } });
}

/** One member: what it was pushed, in order, and where it was told that it may have missed something. */
export class Member {
  readonly user: string;
  readonly topics: readonly string[];
  readonly socket: Socket;
  readonly client: Client<Calls>;
  readonly got: number[] = [];
  /** How many pushes it had when it was told of a gap. */
  readonly gaps: number[] = [];

  constructor(url: string, user: string, topics: readonly string[]) {
    this.user = user;
    this.topics = topics;
    this.socket = connect(url, user);
    this.client = clientOf(this.socket);
    this.client.on("tick", (n: number) => void this.got.push(n));
  }

  /** Resolves once it is in its topics. */
  async join(): Promise<void> {
    const onGap = (): void => void this.gaps.push(this.got.length);
    const joins = this.topics.map((topic) => this.client.joinTopic(topic, { onGap }));
    await Promise.all([...joins, this.client.joinTopic("p:room")]);
  }

  /** Who is in the room, as far as it knows. */
  get here(): string[] {
    return this.client
      .presence("p:room")
      .map(({ user }) => user)
      .sort();
  }

  /** What it has twice. */
  get doubled(): number[] {
    return this.got.filter((n, index) => this.got.indexOf(n) !== index);
  }
}
