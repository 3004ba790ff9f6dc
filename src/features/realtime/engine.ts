import { andThen, isThenable, type Awaitable } from "../../wire/values.js";
import type { Namespace, Server } from "socket.io";
import type { EventContext } from "../../events/event-context.js";
import type { AppServer, AppSocket } from "../../events/subscriber.js";
import type { Logger } from "../../lifecycle/logger.js";
import type { AudienceData } from "../../push/audience.js";
import { Cluster, type NodeMessage, type Reach, reachOf } from "../../push/cluster.js";
import { Dropouts } from "./groups/dropout.js";
import type { Group } from "./groups/group.js";
import { Grouping } from "./groups/grouping.js";
import { Identities, readId, type Identity } from "./identity.js";
import { Joins } from "./joins.js";
import type { Memberships } from "./groups/memberships.js";
import { Places } from "./groups/places.js";
import { paceOf } from "./presence-settings.js";
import { PresenceSync, type PresenceOptions } from "./presence-sync.js";
import { AT, ENDED, PRESENCE, type Ended, type Evicted } from "./protocol.js";
import { checkLog, History, logOf } from "../../push/history.js";
import { MemoryTopicLog } from "../../push/memory-topic-log.js";
import { checkPushOptions, type PushOptions } from "../../push/push-options.js";
import { Pusher } from "../../push/pusher.js";
import type { TopicLog } from "../../push/topic-log.js";
import { type CallsOptions, callsOf } from "./calls/calls-options.js";
import type { RunOnce } from "./calls/run-once.js";
import { ReviewContext } from "./review-context.js";
import { historyRoom, idsOf, isOurs, moveRooms, READERS, roomOf } from "../../push/rooms.js";
import { LearnedHistories, tellHistories } from "./learned-histories.js";
import { HistoryRooms } from "./history-rooms.js";
import { histories, type Topics } from "./topics.js";
import type { WaitingRoom } from "./groups/waiting-room.js";

/** What an {@link Engine} is made of. */
export interface EngineOptions<App extends AppServer> {
  readonly namespace: Namespace;
  readonly log: Logger;
  readonly topics: Topics<App>;
  readonly topicsPerSocket: number;
  readonly topicLog: TopicLog | undefined;
  /** Topics are declared elsewhere: other nodes are asked which of them have a history. */
  readonly learns: boolean;
  readonly presence: Required<PresenceOptions>;
  readonly calls: CallsOptions | false;
  readonly memberships: Memberships;
  readonly waitingRoom: WaitingRoom;
  readonly user: ((socket: AppSocket<App>) => Awaitable<string | null | undefined>) | undefined;
  readonly session: ((socket: AppSocket<App>) => Awaitable<string | null | undefined>) | undefined;
  /** How long a policy may think without an event. */
  readonly reviewTimeoutMs: number | undefined;
  /** A connected socket is somebody else's. Never throws. */
  readonly userChanged: (socket: AppSocket<App>) => void;
}

interface Rotate extends NodeMessage {
  readonly kind: "rotate";
  readonly from: string;
  readonly to: string | null;
  /** Whose the session is now, in a list so that nothing said is not nobody; both would be `null` on the way. */
  readonly user: readonly (string | null)[];
}

interface Revoke extends NodeMessage {
  readonly kind: "revoke";
  readonly user: string;
  readonly topic: string | undefined;
  readonly code: string;
  readonly message: string;
}

interface Review extends NodeMessage {
  readonly kind: "review";
  readonly user: string;
}

interface Disconnect extends NodeMessage {
  readonly kind: "disconnect";
  readonly data: AudienceData;
  readonly ended: Ended;
}

/** The topics that clients think they are in, though their door was closed: the next one tells them. */
const leftIn = new WeakMap<object, readonly Evicted[]>();

/** One life of a `Realtime`, from one setup to the teardown after it: all that belongs to a server and its sockets. */
export class Engine<App extends AppServer = Server> {
  readonly identities: Identities<AppSocket<App>>;
  readonly cluster: Cluster;
  readonly pusher: Pusher;
  readonly history: History;
  readonly presence: PresenceSync;
  readonly joins: Joins<App>;
  readonly places: Places<App>;
  readonly dropouts: Dropouts;
  readonly grouping: Grouping;
  readonly calls: RunOnce | undefined;
  readonly #options: EngineOptions<App>;
  readonly #namespace: Namespace;
  readonly #rooms: HistoryRooms<App>;
  readonly #learned: LearnedHistories | undefined;
  readonly #heartbeat: NodeJS.Timeout;
  /** Sockets that were there before this door, while it is being found out whose they are. */
  readonly #takingIn = new Map<AppSocket<App>, Promise<void>>();

  constructor(options: EngineOptions<App>) {
    const { namespace, log, topics, topicsPerSocket, presence, calls, memberships, waitingRoom } = options;
    this.#options = options;
    this.#namespace = namespace;
    const topicLog = options.topicLog ? logOf(options.topicLog, namespace.name) : new MemoryTopicLog();
    const declared = topics[histories];
    const check = (): void => checkLog(topicLog, namespace);
    if (declared.any()) check();
    declared.beforeDefine = check;
    this.identities = new Identities(log);
    this.cluster = new Cluster(namespace, log);
    this.pusher = new Pusher(namespace, this.cluster, log);
    this.#learned = options.learns ? new LearnedHistories(this.cluster, options.topicLog !== undefined) : undefined;
    this.#rooms = new HistoryRooms<App>({
      namespace,
      log,
      history: () => this.history,
      onReplay: (socketId, frames) => this.joins.charge(socketId, frames),
    });
    this.history = new History({
      namespace,
      cluster: this.cluster,
      pusher: this.pusher,
      log: topicLog,
      logger: log,
      historyOf: (topic) => (this.#learned ?? declared).of(topic),
      enabled: () => (this.#learned ?? declared).any(),
      frame: AT,
      onGap: () => this.#rooms.gap(),
    });
    tellHistories(this.cluster, declared);
    this.presence = new PresenceSync({
      ...presence,
      cluster: this.cluster,
      paceOf: (topic) => paceOf(topics.match(topic)?.definition.presence),
      announce: (change) => this.pusher.here(roomOf("topic", change.topic), PRESENCE, change),
    });
    this.joins = new Joins<App>({
      topics,
      entrance: this.#rooms,
      presence: this.presence,
      topicsPerSocket,
      log,
      identityOf: (socket) => this.identities.of(socket),
    });
    this.places = new Places<App>({ memberships, identities: this.identities, namespace, log });
    this.dropouts = new Dropouts(
      this.cluster,
      log,
      presence.heartbeatMs,
      (user) => this.identities.here("user", user).length > 0,
    );
    this.grouping = new Grouping(waitingRoom, this.cluster, log, (group) => this.#enrollAll(group));
    this.calls = calls === false ? undefined : callsOf(calls, log);
    this.cluster.on<Rotate>("rotate", (message) => this.#rotateHere(message));
    this.cluster.on<Revoke>("revoke", (message) => this.#revokeHere(message));
    this.cluster.on<Review>("review", (message) => this.#reviewHere(message));
    this.cluster.on<Disconnect>("disconnect", (message) => this.#disconnectHere(message));
    this.#heartbeat = setInterval(() => {
      this.#sweep();
      void this.presence.beat();
      void this.dropouts.look();
      this.grouping.beat();
    }, presence.heartbeatMs);
    this.#heartbeat.unref();
  }

  /** Takes in the sockets that are there already, but for one that is being told of, and asks other nodes what they know. */
  async start(except?: string): Promise<void> {
    // Not waited for: a node that is slow to answer must not keep this one from starting.
    void this.presence.sync();
    const sockets = [...this.#namespace.sockets.values()] as unknown as AppSocket<App>[];
    const taking = sockets.filter(({ id }) => id !== except);
    for (const socket of taking) {
      // Before anything of this life: what they join from now on, they are in.
      this.joins.tellLeft(socket, leftIn.get(socket) ?? []);
      leftIn.delete(socket);
      const taken = this.#takeIn(socket).finally(() => this.#takingIn.delete(socket));
      this.#takingIn.set(socket, taken);
    }
    await Promise.all(this.#takingIn.values());
  }

  /** Takes everything back: rooms, timers, listeners. */
  async stop(): Promise<void> {
    clearInterval(this.#heartbeat);
    this.#options.topics[histories].beforeDefine = undefined;
    // While it is known how far everybody is.
    for (const [socket, left] of this.joins.clear()) leftIn.set(socket, left);
    this.#rooms.close();
    this.history.close();
    this.dropouts.clear();
    this.grouping.clear(new Error("the realtime door was closed"));
    this.identities.clear();
    for (const socket of this.#namespace.sockets.values()) {
      for (const room of [...socket.rooms]) if (isOurs(room)) moveRooms(this.#options.log, () => socket.leave(room));
    }
    await this.presence.close();
    await this.calls?.close();
    this.cluster.close();
  }

  /** A socket was admitted. A promise only if the application's functions or its store take time. */
  connected(context: EventContext<App>): Awaitable<void> {
    const { socket } = context;
    if (!socket.connected) return undefined;
    const admitted = this.#admit(socket, () => context.signal);
    if (!socket.recovered) return admitted;
    return andThen(admitted, () => this.joins.review(context));
  }

  /** A socket goes. */
  disconnecting(socket: AppSocket<App>): void {
    this.joins.drop(socket.id);
    this.pusher.gone(socket);
    // Socket.IO calls it connected until the end of this turn (Socket._onclose), and so somebody may still say whose it is.
    queueMicrotask(() => {
      this.identities.drop(socket);
      const { user } = this.identities.of(socket);
      if (user !== undefined) this.dropouts.went(user);
    });
  }

  /** Pushes to an audience. @throws TypeError at once if the log of a topic can't hold it */
  push(data: AudienceData, event: string, payload: readonly unknown[], options?: PushOptions): Promise<Reach | void> {
    if (options !== undefined) checkPushOptions(event, options);
    const push = (): Promise<Reach | void> =>
      this.history.push(data, event, payload, options) ?? this.pusher.send(data, event, payload, options);
    const learning = this.#learned?.learn(data);
    if (learning === undefined) return push();
    const pushed = learning.then(push);
    pushed.catch((error: unknown) => this.#options.log.error({ err: error, push: event }, "a push could not be sent"));
    return pushed;
  }

  /** Changes whom a socket counts for, and asks the policies of its topics again. Resolves to whether anything changed. */
  async setUser(socket: AppSocket<App>, id: string | undefined): Promise<boolean> {
    if (!socket.connected) return false;
    const known = this.identities.of(socket);
    if (!this.identities.set(socket, "user", id)) return false;
    this.#options.userChanged(socket);
    this.#carry(socket, known);
    this.joins.disown(socket);
    this.places.leaveAll(socket);
    if (known.user !== undefined) this.dropouts.went(known.user);
    // Beside each other: a store of places that hangs keeps no topic from its members.
    const outcomes = await Promise.allSettled([this.#placesOf(socket, id), this.#review(socket)]);
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
    return true;
  }

  /** Changes the browser session of a socket, and asks the policies of its topics again. */
  async setSession(socket: AppSocket<App>, id: string | undefined): Promise<void> {
    // A socket that has gone would be put into a room that nobody empties any more.
    if (!socket.connected) return;
    const known = this.identities.of(socket);
    if (!this.identities.set(socket, "session", id)) return;
    this.#carry(socket, known);
    await this.#review(socket);
  }

  /** Settles when it is known whose a socket is that was there before this door; `undefined` if it is known. */
  known(socket: AppSocket<App>): Promise<void> | undefined {
    return this.#takingIn.get(socket);
  }

  /** Asks the policies of all topics of a user again, on all nodes. */
  async review(user: string): Promise<Reach> {
    const message: Review = { kind: "review", user };
    const [here, { answers, complete }] = await Promise.all([
      this.#reviewHere(message),
      this.cluster.ask<number>(message),
    ]);
    return reachOf([here, ...answers], complete);
  }

  /** The same for one socket of this node. */
  async reviewSocket(socket: AppSocket<App>): Promise<Reach> {
    const { connected } = socket;
    if (connected) await this.#review(socket);
    return reachOf(connected ? [1] : [], true);
  }

  /** Moves every socket of one browser session to another, or to none, on all nodes; with `user`, to that user or to none. */
  async rotate(from: string, to: string | undefined, user: readonly (string | undefined)[]): Promise<Reach> {
    const message: Rotate = { kind: "rotate", from, to: to ?? null, user: user.map((id) => id ?? null) };
    const [here, { answers, complete }] = await Promise.all([
      this.#rotateHere(message),
      this.cluster.ask<number>(message),
    ]);
    return reachOf([here, ...answers], complete);
  }

  /** Takes a topic, or all, away from a user, on all nodes. */
  async revoke(revoke: Omit<Revoke, "kind">): Promise<Reach> {
    const message = { ...revoke, kind: "revoke" } as Revoke;
    return this.cluster.sum(this.#revokeHere(message), message);
  }

  /** Ends the connections of an audience, on all nodes. */
  async disconnect(data: AudienceData, ended: Ended): Promise<Reach> {
    const message: Disconnect = { kind: "disconnect", data, ended };
    return this.cluster.sum(this.#disconnectHere(message), message);
  }

  /** What was called by nobody yet was called by whoever this socket is now; another user's is not. */
  #carry(socket: AppSocket<App>, known: Identity): void {
    const [from, to] = [requesterOf(socket, known), requesterOf(socket, this.identities.of(socket))];
    if (known.user === undefined && from !== to) this.calls?.carry(from, to);
  }

  async #review(socket: AppSocket<App>): Promise<void> {
    const { log, reviewTimeoutMs } = this.#options;
    const context = new ReviewContext<App>(socket, log, reviewTimeoutMs);
    await this.joins.review(context).finally(() => context.end());
  }

  // An interceptor of the application may refuse to let it be told that a socket goes.
  #sweep(): void {
    this.joins.sweep((socketId) => this.#namespace.sockets.has(socketId));
    for (const socket of this.identities.all()) if (!socket.connected) this.disconnecting(socket);
  }

  async #takeIn(socket: AppSocket<App>): Promise<void> {
    try {
      await this.#admit(socket);
      // It came back with the rooms it had when there was a door before this one.
      if (socket.recovered) await this.#review(socket);
    } catch (error) {
      this.#options.log.error(
        { err: error, socketId: socket.id },
        "whose socket it is can't be told; it was disconnected",
      );
    }
  }

  /** @param until says who gives up, where it takes time; what is found out after that counts for nothing */
  #admit(socket: AppSocket<App>, until?: () => AbortSignal): Promise<void> | void {
    const { user, session } = this.#options;
    this.joins.admit(socket.id);
    // Rooms come back with a recovered connection, and may be out of date by any time: Socket.IO keeps a session it has restored, and
    // restores it again. Who it is, is asked anew; its topics are reviewed (decision 0026).
    if (socket.recovered) {
      this.#rooms.recovered(socket);
      // What tells of a topic with history by plain events stays, too: nobody could tell of what is missed.
      const kept = new Set([
        READERS,
        ...idsOf("topic", socket.rooms).flatMap((id) => [roomOf("topic", id), historyRoom("events", id)]),
      ]);
      for (const room of [...socket.rooms])
        if (isOurs(room) && !kept.has(room)) moveRooms(this.#options.log, () => socket.leave(room));
    }
    this.identities.admit(socket);
    try {
      const result = andThen(user?.(socket), (userId) =>
        andThen(session?.(socket), (sessionId) =>
          this.#identified(socket, { user: readId("user", userId), session: readId("session", sessionId) }),
        ),
      );
      if (!isThenable(result)) return result;
      const inTime = until === undefined ? result : orAborted(result, until());
      return inTime.catch((error: unknown) => this.#refuse(socket, error));
    } catch (error) {
      return this.#refuse(socket, error);
    }
  }

  #identified(socket: AppSocket<App>, found: Identity): Awaitable<void> {
    if (!socket.connected) return this.identities.drop(socket);
    // Given up, or asked by a door that is closed.
    if (!this.identities.found(socket, found)) return undefined;
    return this.#userIs(socket, this.identities.of(socket).user);
  }

  // Whose socket it is can't be told, so it must not go on as if it were nobody's.
  #refuse(socket: AppSocket<App>, error: unknown): never {
    this.identities.drop(socket);
    socket.disconnect();
    throw error;
  }

  async #placesOf(socket: AppSocket<App>, user: string | undefined): Promise<void> {
    await this.#userIs(socket, user);
  }

  #userIs(socket: AppSocket<App>, user: string | undefined): Awaitable<void> {
    if (user === undefined) return undefined;
    this.dropouts.came(user);
    return this.places.enter(socket, user);
  }

  async #enrollAll({ id, members }: Group): Promise<void> {
    await Promise.all(members.map((user) => this.places.enroll({ kind: "group", id }, user)));
  }

  async #rotateHere({ from, to, user }: Rotate): Promise<number> {
    const sockets = this.identities.here("session", from);
    const [id] = user;
    this.identities.note((found) => {
      if (found.session !== from) return found;
      return { session: to ?? undefined, user: id === undefined ? found.user : (id ?? undefined) };
    });
    await Promise.all(
      sockets.map(async (socket) => {
        const known = this.identities.of(socket);
        // Both before anybody is asked again, so that a policy sees no mixture of old and new.
        const changed = this.identities.set(socket, "session", to ?? undefined);
        if (changed) this.#carry(socket, known);
        if (id !== undefined && (await this.setUser(socket, id ?? undefined))) return;
        if (changed) await this.#review(socket);
      }),
    );
    return sockets.length;
  }

  #disconnectHere({ data, ended }: Disconnect): number {
    const ids = this.pusher.socketsHere(data);
    for (const id of ids) {
      // Not by the socket: with recovery on, that may take the way of an adapter's stream, and is overtaken by the end.
      this.pusher.here(id, ENDED, ended);
      this.#namespace.sockets.get(id)?.disconnect();
    }
    return ids.length;
  }

  async #reviewHere({ user }: Review): Promise<number> {
    const sockets = this.identities.here("user", user);
    await Promise.all(sockets.map((socket) => this.#review(socket)));
    return sockets.length;
  }

  #revokeHere({ user, topic, code, message }: Revoke): number {
    const sockets = this.identities.here("user", user);
    return sockets.filter((socket) => this.joins.evict(socket, topic ?? undefined, code, message)).length;
  }
}

/** In whose name a call runs once: whoever comes back under the same name gets the same answer. Namespaces may share a store of calls. */
export function requesterOf(
  { id, nsp }: { readonly id: string; readonly nsp: { readonly name: string } },
  { user, session }: Identity,
): string {
  const of = nsp.name === "/" ? "" : `${nsp.name} `;
  if (user !== undefined) return `${of}user:${user}`;
  return session === undefined ? `${of}socket:${id}` : `${of}session:${session}`;
}

/** The same, or the reason of the signal if that aborts first. Nothing stays on the signal: an idle connection keeps it. */
async function orAborted<T>(result: Promise<T>, signal: AbortSignal): Promise<T> {
  let abort = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    // A reason of ours is an error; whatever it is, it is what happened.
    abort = () => reject(signal.reason as Error);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort);
  });
  try {
    return await Promise.race([result, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
