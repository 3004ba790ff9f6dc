import { type RepeatableEvent, setRepeats } from "../../events/repeats.js";
import { CAUGHT_UP } from "../../wire/caught-up.js";
import { isUnsendable, ownPrefix } from "../../wire/event-names.js";
import { andThen, type Awaitable, describeValue, isThenable, printable } from "../../wire/values.js";
import type { Server } from "socket.io";
import { type Belongings, builtIn, has } from "../../events/managed.js";
import type { EventContext } from "../../events/event-context.js";
import { bindHost } from "../../events/host.js";
import { onlyKey } from "../../events/only-one.js";
import { asRecord, checkNames } from "../../wire/option-names.js";
import type { AppServer, AppSocket } from "../../events/subscriber.js";
import { Handler } from "../../handler.js";
import { isEventError } from "../../wire/event-error.js";
import type { Failure } from "../../wire/failure.js";
import { invalidInput } from "../../wire/schema.js";
import { toFailure } from "../../wire/to-failure.js";
import { type Audience, everyone } from "../../push/audience.js";
import { AllClusterMessages, type ClusterMessages } from "../../push/cluster-messages.js";
import type { Reach } from "../../push/cluster.js";
import { countDropped } from "../../push/count-dropped.js";
import type { RunOnce } from "./calls/run-once.js";
import { Engine, requesterOf } from "./engine.js";
import type { Group, WaitForGroupOptions } from "./groups/group.js";
import { NOBODY, readId, type Identity } from "./identity.js";
import { Groups } from "./groups/groups.js";
import { MemoryMemberships, type Memberships } from "./groups/memberships.js";
import {
  JOIN,
  LEAVE,
  NOTIFY,
  REFETCH,
  TOPIC_MAX,
  type Joined,
  type JoinedAll,
  type Member,
  type Notice,
  type Refetch,
} from "./protocol.js";
import { pushOptionNames, type PushOptions, type ReceiptOptions, type Receipts } from "../../push/push-options.js";
import type { NoticeData, PushData, PushEvent, RefetchAction, RefetchPayload } from "./push-types.js";
import type { Recipients } from "./groups/recipients.js";
import { checkRealtimeOptions, type RealtimeOptions } from "./realtime-options.js";
import { joinPosition, joinRequest, topicName, type At, type JoinRequest } from "./join-request.js";
import type { Outcome } from "./join-run.js";
import { audienceFrom, type Target, type TargetOptions } from "../../push/target.js";
import { Topics } from "./topics.js";
import { MemoryWaitingRoom } from "./groups/waiting-room.js";

/** What {@link Realtime.emitSocketRefetch} says beside the action, and to whom. */
export interface RefetchOptions<Payload = unknown, Event extends string = string> extends TargetOptions {
  /** The signal that clients subscribed to; without one, every subscription that lists the action is meant. */
  event?: Event;
  /** What to ask with. */
  payload?: Payload;
  /** The id of the socket whose doing it was, for clients that skip what they did themselves. */
  origin?: string;
}

/** How a notice is sent. */
export interface NotifyOptions<Name extends string = string> extends PushOptions {
  /** The name of the listeners meant; without one, the default listener. A name of a push has what that carries as its data. */
  event?: Name;
}

/** Why a topic was taken away. */
export interface RevokeOptions {
  /** For programs. @default "FORBIDDEN" */
  code?: string;
  /** For a person. @default "this topic was taken away from you" */
  message?: string;
}

/** Why connections are ended, and whether their clients may come back. */
export interface DisconnectOptions extends RevokeOptions {
  /** When the client may connect again, in milliseconds; without it, it does not by itself. */
  retryAfterMs?: number;
}

/** What a {@link Realtime} has done on this node since it was set up, and what it has in hand. */
export interface RealtimeStats {
  /** Pushes sent, notices and signals included. */
  pushes: number;
  /** Pushes that could not be sent: what can't be encoded, an adapter that failed. */
  failedPushes: number;
  /**
   * For how many sockets of this node volatile pushes made here were dropped, because they are behind with reading. Counted only where
   * `slowConsumers` of `socket-ingress/limits` asks for it, since each socket has to be looked at.
   */
  droppedPushes: number;
  /** Pushes of which only the `latest` counts that a newer one replaced before they were sent. */
  replacedPushes: number;
  /** Topics joined. */
  joined: number;
  /** Joins refused. */
  refused: number;
  /** Topics taken away. */
  evicted: number;
  /** Calls that got the answer of an earlier one. */
  sharedCalls: number;
  /** Answers kept for calls that may be sent again. */
  keptCalls: number;
  /** Users waiting for a group. */
  waiting: number;
  /** Watches for users who may drop out. */
  watched: number;
}

/** How a worker without a server says that it declares no topics. @internal */
export const declaresNothing: unique symbol = Symbol("socket-ingress.declaresNothing");

/** How many topics one connection may be in unless the options say otherwise. */
const TOPICS_PER_SOCKET = 100;

/** So many actions are remembered for a description: they are names of events, and some programs make these up. */
const MOST_ACTIONS = 1_000;

/** Before other `connection` subscribers, so that they find the socket in its rooms. */
const FIRST = -1_000_000;

/**
 * Server push, topics, presence, calls that run once, notices and groups, for the clients of one namespace. It is a handler:
 * register it with a manager, or set it up with a server, and push from anywhere. A push never breaks the work of whoever pushes:
 * what is wrong with the call is thrown (a `TypeError`), what is wrong with the delivery is logged.
 *
 * @typeParam App - the `Server<...>` type of the application
 *
 * @example
 * const realtime = new Realtime<App>({ user: ({ data }) => data.user });
 * realtime.topics.define("room:{id}", { join: ({ user }, { id }) => mayRead(user, id), presence: true });
 * manager.registerHandler(realtime);
 *
 * realtime.emitSocket("items_changed", { source: "import" }, { topic: "room:42", except: user("u1") });
 */
export class Realtime<App extends AppServer = Server> extends Handler<App> {
  readonly name: string;
  override readonly namespace: string;
  /** The topics clients may join. */
  readonly topics: Topics<App> = new Topics();
  /** Who belongs together: players and groups. */
  readonly groups: Groups<App>;
  readonly events: object;
  /** @internal */
  readonly [builtIn]: true = true;

  /** Topics are declared by other nodes, which are asked about them. @internal */
  protected readonly [declaresNothing]: boolean = false;
  readonly #options: RealtimeOptions<App>;
  readonly #memberships: Memberships;
  readonly #messages = new AllClusterMessages(() => this.#engine?.cluster);
  #engine: Engine<App> | undefined;
  #countsDropped = false;
  /** It was asked for before it was there, and said so. */
  #missed = false;
  #started: Promise<void> | undefined;
  /** What signals have named. */
  readonly #actions = new Set<string>();
  /** Each by itself, even of the same function. */
  readonly #userChanged = new Set<{ fn(socket: AppSocket<App>): void }>();

  /** @throws TypeError naming an option that does not fit */
  constructor(options: RealtimeOptions<App> = {}) {
    super();
    checkRealtimeOptions(options);
    this.#options = options;
    this.#memberships = options.memberships ?? new MemoryMemberships();
    this.groups = new Groups({
      memberships: this.#memberships,
      life: (method) => this.#required(method),
      identityOf: (socket) => this.#identityOf(socket),
    });
    const { namespace = "/", topicMaxLength = TOPIC_MAX } = options;
    this.namespace = namespace.startsWith("/") ? namespace : `/${namespace}`;
    this.name = this.namespace === "/" ? "realtime" : `realtime of ${this.namespace}`;
    const { topicsPerSocket = TOPICS_PER_SOCKET } = options;
    this.events = {
      connection: { run: this.#onConnection, priority: FIRST },
      disconnecting: { run: this.#onDisconnecting, priority: FIRST },
      [JOIN]: { run: this.#onJoin, input: [joinRequest(topicMaxLength, topicsPerSocket), joinPosition] },
      [LEAVE]: { run: this.#onLeave, input: [topicName(topicMaxLength)] },
      [CAUGHT_UP]: { run: this.#onCaughtUp },
    };
  }

  // --- push -----------------------------------------------------------------------------------------------------------------

  /**
   * Sends an event to everyone, or to a target: an audience, options such as `{ topic, except }`, or a list of these. Call it from
   * anywhere, a timer or a job as well as an event. The data is sent as it is now.
   *
   * With `{ count: true }` as the last argument it resolves to whom it reached; `{ sockets: 0, nodes: 0 }` means nobody was there. With
   * `{ receipts: {} }` it also tells how many of their clients said that it arrived.
   *
   * @throws TypeError at once if the event is Socket.IO's own, the target says nothing (it is never everyone by mistake), an option does not
   * fit, or the target has a topic with a history, which can't keep such a push
   */
  emitSocket<Event extends PushEvent<App>>(
    event: Event,
    data: PushData<App, Event>,
    target: Target,
    options: PushOptions & { receipts: ReceiptOptions },
  ): Promise<Receipts>;
  emitSocket<Event extends PushEvent<App>>(
    event: Event,
    data: PushData<App, Event>,
    target: Target,
    options: PushOptions & { count: true },
  ): Promise<Reach>;
  emitSocket<Event extends PushEvent<App>>(
    event: Event,
    data: PushData<App, Event>,
    // A rest parameter, so that a target that happens to be undefined is a mistake and not everyone.
    ...to: [] | [target: Target, options?: PushOptions]
  ): Promise<void>;
  emitSocket(event: string, data: unknown, ...to: [] | [target: Target, options?: PushOptions]): Promise<Reach | void> {
    checkEvent("emitSocket", event);
    if (typeof data === "function")
      throw new TypeError("emitSocket: expected data, got a function; a push has no acknowledgement");
    return this.#push(
      to.length === 0 ? everyone() : audienceFrom(to[0]),
      event,
      data === undefined ? [] : [data],
      to[1],
    );
  }

  /**
   * Tells clients that an action has news: those that registered it with `refetchOnSocket` ask again, once, however many signals
   * come. Without a target it goes to everyone.
   *
   * @throws TypeError at once if the action or the target is wrong
   */
  emitSocketRefetch<Action extends RefetchAction<App>>(
    action: Action,
    ...given: [] | [options: RefetchOptions<RefetchPayload<App, Action>, PushEvent<App>>]
  ): Promise<void> {
    const options = given.length === 0 ? {} : given[0];
    // A target that happens to be undefined, or a list, must not be taken for "everyone".
    if (typeof options !== "object" || options === null || Array.isArray(options)) {
      throw new TypeError(`emitSocketRefetch: options must be an object, got ${describeValue(options)}`);
    }
    const { event, payload, origin, ...target } = options;
    if (typeof action !== "string" || action === "")
      throw new TypeError(`emitSocketRefetch: expected an action, got ${describeValue(action)}`);
    for (const [key, value] of Object.entries({ event, origin })) {
      if (value !== undefined && (typeof value !== "string" || value === "")) {
        throw new TypeError(`emitSocketRefetch: ${key} must be a non-empty string, got ${describeValue(value)}`);
      }
    }
    const refetch: Refetch = {
      action,
      ...(event !== undefined && { event }),
      ...(payload !== undefined && { payload }),
      ...(origin !== undefined && { origin }),
    };
    const audience = Object.keys(target).length === 0 ? everyone() : audienceFrom(target);
    if (this.#actions.size < MOST_ACTIONS) this.#actions.add(action);
    return this.#push(audience, REFETCH, [refetch]) as Promise<void>;
  }

  /** How many sockets a target has, on how many nodes. */
  async count(target: Target): Promise<Reach> {
    const { data } = audienceFrom(target);
    return (await this.#engine?.pusher.count(data)) ?? { sockets: 0, nodes: 0, complete: true };
  }

  // --- notify ---------------------------------------------------------------------------------------------------------------

  /**
   * Sends data from within an event to recipients, the sender among them if they are: to the client's listeners of that name, or
   * without a name to its default listener.
   *
   * @returns a promise that rejects if the recipients can't be told, e.g. `otherInGroup` when there are two; not awaiting it is safe
   */
  notify<Name extends string = string>(
    context: EventContext<App>,
    recipients: Recipients | Target,
    data: NoticeData<App, Name>,
    options?: NotifyOptions<Name>,
  ): Promise<void> {
    if (typeof context?.socket !== "object")
      throw new TypeError("notify: expected the context of an event first; without one, use sendTo");
    return this.sendTo(recipients, data, options);
  }

  /** The same as {@link Realtime.notify} from anywhere, with no sender: a timer, a job. */
  sendTo<Name extends string = string>(
    recipients: Recipients | Target,
    data: NoticeData<App, Name>,
    options: NotifyOptions<Name> & { receipts: ReceiptOptions },
  ): Promise<Receipts>;
  sendTo<Name extends string = string>(
    recipients: Recipients | Target,
    data: NoticeData<App, Name>,
    options: NotifyOptions<Name> & { count: true },
  ): Promise<Reach>;
  sendTo<Name extends string = string>(
    recipients: Recipients | Target,
    data: NoticeData<App, Name>,
    options?: NotifyOptions<Name>,
  ): Promise<void>;
  sendTo(recipients: Recipients | Target, data: unknown, given: NotifyOptions = {}): Promise<Reach | void> {
    checkNames("notify", asRecord("notify", given), ["event", ...pushOptionNames]);
    const { event, ...options } = given;
    if (event !== undefined && (typeof event !== "string" || event === "")) {
      throw new TypeError(`notify: event must be a non-empty string, got ${describeValue(event)}`);
    }
    const notice: Notice = event === undefined ? { data } : { event, data };
    const send = (audience: Audience): Promise<Reach | void> => this.#push(audience, NOTIFY, [notice], options);
    try {
      const audience = this.audienceOf(recipients);
      if (!isThenable(audience)) return send(audience);
      return this.#unawaited(Promise.resolve(audience).then(send));
    } catch (error) {
      if (error instanceof TypeError) throw error;
      return this.#unawaited(Promise.reject(error as Error));
    }
  }

  /**
   * The audience that recipients are at this moment, for {@link Realtime.emitSocket}. A promise if memberships take time.
   *
   * @throws EventError as the recipients say, e.g. `NOT_FOUND` when whoever asks is in no group
   */
  audienceOf(recipients: Recipients | Target): Awaitable<Audience> {
    const isTarget = typeof recipients === "object" && recipients !== null;
    if (!isTarget || ("resolve" in recipients && typeof recipients.resolve !== "function")) {
      throw new TypeError(
        `recipients: expected an audience such as group("g1"), or othersInGroup(context), got ${describeValue(recipients)}`,
      );
    }
    if (!("resolve" in recipients)) return audienceFrom(recipients);
    return recipients.resolve({
      userOf: (socket) => this.#identityOf(socket).user,
      places: (user) => this.#memberships.places(user),
      members: (place) => this.#memberships.members(place),
    });
  }

  // --- identity -------------------------------------------------------------------------------------------------------------

  /**
   * Whose socket this is, as the server knows it; of one that has gone, whose it was. Only the node that a socket is connected to knows:
   * for what `fetchSockets` finds on others it is nobody's.
   */
  identify(socket: AppSocket<App>): Identity {
    return this.#identityOf(socket);
  }

  /**
   * Whose a socket will be that asks to connect, as `user` and `session` say of it now: for `connect` subscribers, which run before
   * {@link Realtime.identify} knows it. It is asked again once the socket is in, and that counts.
   *
   * @throws whatever `user` or `session` throw, or reject with
   */
  whoConnects(socket: AppSocket<App>): Awaitable<Identity> {
    const { user, session } = this.#options;
    return andThen(user?.(socket), (userId) =>
      andThen(session?.(socket), (sessionId) => ({
        user: readId("user", userId),
        session: readId("session", sessionId),
      })),
    );
  }

  /**
   * Says who the user of a connected socket is from now on, after a login or (`undefined`) a logout. The policies of all topics it is
   * in are asked again for the new user; what they refuse is taken away before this resolves.
   *
   * @throws TypeError from the promise, if it is no socket of this namespace, or the id is none
   */
  async setUser(socket: AppSocket<App>, id: string | undefined): Promise<void> {
    checkSocket("setUser", socket, this.namespace);
    await this.#required("setUser").setUser(socket, readId("user", id));
  }

  /**
   * Hears of each connected socket of this node that is another user's from now on, or nobody's, after a login or logout: once its pushes are those
   * of the new one ({@link Realtime.identify} says whose), before the policies of its topics are asked. What it throws is logged.
   *
   * @returns the undo
   * @throws TypeError if it is no function
   */
  onUserChanged(fn: (socket: AppSocket<App>) => void): () => void {
    if (typeof fn !== "function") throw new TypeError(`onUserChanged expects a function, got ${describeValue(fn)}`);
    const told = { fn };
    this.#userChanged.add(told);
    return () => void this.#userChanged.delete(told);
  }

  #tellUserChanged(socket: AppSocket<App>): void {
    for (const told of this.#userChanged) {
      try {
        told.fn(socket);
      } catch (error) {
        this.log.error({ err: printable(error), socketId: socket.id }, "whoever hears of another user failed");
      }
    }
  }

  /**
   * Says which browser session a connected socket belongs to from now on. The policies of all topics it is in are asked again, for the new
   * session; what they refuse is taken away before this resolves.
   *
   * @throws TypeError from the promise, if it is no socket of this namespace, or the id is none
   */
  async setSession(socket: AppSocket<App>, id: string | undefined): Promise<void> {
    checkSocket("setSession", socket, this.namespace);
    await this.#required("setSession").setSession(socket, readId("session", id));
  }

  /**
   * Moves all sockets of a browser session to its new id, on all nodes: call it where a login regenerates the session, with the user
   * who logged in. From then on the old id reaches nobody. After a logout there may be no new id, and `{ user: null }`.
   *
   * @param login whose the session is now, as by {@link Realtime.setUser}; without it users stay as they are
   * @returns how many sockets moved
   */
  async rotateSession(from: string, to: string | undefined, login?: { user: string | null }): Promise<Reach> {
    const old = readId("session", from);
    if (old === undefined) throw new TypeError("rotateSession: expected the old id of the session");
    const user = login === undefined ? [] : [readId("user", login.user)];
    return this.#required("rotateSession").rotate(old, readId("session", to), user);
  }

  /**
   * Ends the connections of an audience, on all nodes: each client is told why, and when to come back, and then disconnected. Its events
   * under way go on, with nobody to hear their replies.
   *
   * @returns how many connections; `complete: false` means that a node did not answer, and it should be done again
   * @throws TypeError at once if the target says nothing, or the reason can't be told
   */
  disconnect(target: Target, options: DisconnectOptions = {}): Promise<Reach> {
    checkNames("disconnect", asRecord("disconnect", options), ["code", "message", "retryAfterMs"]);
    const { code = "FORBIDDEN", message = "the server ended this connection", retryAfterMs } = options;
    const { data } = audienceFrom(target);
    for (const [key, value] of Object.entries({ code, message })) {
      if (typeof value !== "string" || value === "")
        throw new TypeError(`disconnect: ${key} must be a non-empty string, got ${describeValue(value)}`);
    }
    if (retryAfterMs !== undefined && !(Number.isFinite(retryAfterMs) && retryAfterMs >= 0))
      throw new TypeError(`disconnect: retryAfterMs must be milliseconds from 0, got ${describeValue(retryAfterMs)}`);
    const ended = { code, message, ...(retryAfterMs !== undefined && { retryAfterMs }) };
    return this.#required("disconnect").disconnect(data, ended);
  }

  /**
   * The messages of one feature between the nodes of this namespace. Take it at any time; listeners outlive teardowns. Nodes trust each
   * other, clients can't reach this.
   */
  cluster(name: string): ClusterMessages {
    return this.#messages.named(name);
  }

  // --- topics ---------------------------------------------------------------------------------------------------------------

  /**
   * Takes a topic away from a user, or all topics, on all nodes: their sockets are out when this resolves, joins under way are
   * refused, and their clients are told. Change what the topic's policy knows first, or they join again. With Socket.IO's
   * `connectionStateRecovery` on, a client that is away keeps what it missed of the topic until it comes back: that leaves before anybody
   * can be asked.
   *
   * @returns how many sockets lost something; `complete: false` means that a node did not answer, and it should be done again
   */
  revoke(user: string, topic?: string, options: RevokeOptions = {}): Promise<Reach> {
    checkNames("revoke", asRecord("revoke", options), ["code", "message"]);
    const { code = "FORBIDDEN", message = "this topic was taken away from you" } = options;
    const id = readId("user", user);
    if (id === undefined) throw new TypeError("revoke: expected the id of a user");
    if (topic !== undefined && (typeof topic !== "string" || topic === ""))
      throw new TypeError("revoke: expected the name of a topic");
    return this.#required("revoke").revoke({ user: id, topic, code, message });
  }

  /**
   * Asks the policies of all topics that a user is in again, on all nodes, or those of one socket of this node: call it when what they go
   * by has changed, a role for instance. What they refuse now is taken away, and what they grant now holds, before this resolves; clients
   * stay where they are.
   *
   * @param who the id of a user, or a socket
   * @returns how many sockets were asked about; `complete: false` means that a node did not answer, and it should be done again
   */
  review(who: string | AppSocket<App>): Promise<Reach> {
    if (typeof who === "object" && who !== null) {
      checkSocket("review", who, this.namespace);
      return this.#required("review").reviewSocket(who);
    }
    const id = readId("user", who);
    if (id === undefined) throw new TypeError("review: expected the id of a user, or a socket");
    return this.#required("review").review(id);
  }

  /**
   * What the policy of a topic granted a socket of this node: what its `join` returned last, `true` if that was nothing. `undefined` while
   * the socket is not in, and while the policy is being asked again after its user has changed.
   */
  grantOf(socket: Pick<AppSocket<App>, "id">, topic: string): unknown {
    return this.#engine?.joins.grantOf(socket.id, topic);
  }

  /** The topics a socket of this node is in. */
  topicsOf(socket: Pick<AppSocket<App>, "id">): string[] {
    return this.#engine?.joins.topicsOf(socket.id) ?? [];
  }

  /** Who is present at a topic, on all nodes as far as this one has heard; each user once. Of a topic without presence: nobody. */
  list(topic: string): Member[] {
    return this.#engine?.presence.list(topic) ?? [];
  }

  // --- sessions and groups --------------------------------------------------------------------------------------------------

  /** The same as {@link Groups.enroll}. */
  enroll(place: Audience, user: string): Promise<void> {
    return this.groups.enroll(place, user);
  }

  /** The same as {@link Groups.withdraw}. */
  withdraw(place: Audience, user: string): Promise<void> {
    return this.groups.withdraw(place, user);
  }

  /** The same as {@link Groups.membersOf}. */
  membersOf(place: Audience): Promise<readonly string[]> {
    return this.groups.membersOf(place);
  }

  /** The same as {@link Groups.waitForGroup}. */
  waitForGroup(who: EventContext<App> | string, options: WaitForGroupOptions): Promise<Group> {
    return this.groups.waitForGroup(who, options);
  }

  /** The same as {@link Groups.watchForDropout}. */
  watchForDropout(player: string, fn: () => unknown, ms: number): () => void {
    return this.groups.watchForDropout(player, fn, ms);
  }

  // --- diagnostics ----------------------------------------------------------------------------------------------------------

  /** What it has done on this node since it was set up. */
  stats(): RealtimeStats {
    const engine = this.#engine;
    const sent = engine?.pusher.stats ?? { pushes: 0, failures: 0, dropped: 0, replaced: 0 };
    const logged = engine?.history.stats ?? { pushes: 0, failures: 0 };
    const { joined, refused, evicted } = engine?.joins.stats ?? { joined: 0, refused: 0, evicted: 0 };
    return {
      pushes: sent.pushes + logged.pushes,
      failedPushes: sent.failures + logged.failures,
      droppedPushes: sent.dropped,
      replacedPushes: sent.replaced,
      joined,
      refused,
      evicted,
      sharedCalls: engine?.calls?.shared ?? 0,
      keptCalls: engine?.calls?.size ?? 0,
      waiting: engine?.grouping.size ?? 0,
      watched: engine?.dropouts.size ?? 0,
    };
  }

  /** @internal */
  [has](): Belongings {
    return { topics: this.topics.describe(), actions: [...this.#actions].map((event) => ({ event })) };
  }

  /** @internal */
  [countDropped](): void {
    this.#countsDropped = true;
    const engine = this.#engine;
    if (engine) engine.pusher.countsDropped = true;
  }

  // --- the handler ----------------------------------------------------------------------------------------------------------

  /** Of several namespaces' doors the class means the first; each is found by its namespace. @internal */
  override [bindHost](host: Parameters<Handler<App>[typeof bindHost]>[0]): void {
    super[bindHost](host);
    const key = onlyKey("a Realtime", this.namespace);
    if (host && host.registry.resolve(key) === undefined) host.registry.provide(key, this);
  }

  /** Takes in the server it is set up for: sockets that are connected already, and what other nodes know. */
  protected override async onSetup(): Promise<void> {
    this.#open();
    await this.#started;
  }

  /** The engine; made by the first who needs it when the manager got its server after the setup. */
  #open(connecting?: string): Engine<App> | undefined {
    const { io } = this;
    if (this.#engine || !io || !this.registered) return this.#engine;
    const {
      topicsPerSocket = TOPICS_PER_SOCKET,
      presence = {},
      calls = {},
      waitingRoom = new MemoryWaitingRoom(),
      user,
      session,
    } = this.#options;
    const engine = new Engine<App>({
      namespace: io.of(this.namespace),
      log: this.log,
      topics: this.topics,
      topicsPerSocket,
      topicLog: this.#options.log,
      learns: this[declaresNothing],
      presence: { graceMs: presence.graceMs ?? 5_000, heartbeatMs: presence.heartbeatMs ?? 2_000 },
      calls,
      memberships: this.#memberships,
      waitingRoom,
      user,
      session,
      reviewTimeoutMs: this.ingress?.timeoutMs,
      userChanged: (socket) => this.#tellUserChanged(socket),
    });
    this.#engine = engine;
    engine.pusher.countsDropped = this.#countsDropped;
    this.#messages.listen(engine.cluster);
    const { calls: runOnce } = engine;
    const unset =
      runOnce && this.ingress?.[setRepeats](this.namespace, (event, run) => this.#onRepeatable(runOnce, event, run));
    this.addCleanup(async () => {
      unset?.();
      this.#engine = undefined;
      await engine.stop();
    });
    this.#started = engine.start(connecting);
    return engine;
  }

  #onConnection(context: EventContext<App>): Awaitable<void> {
    return this.#open(context.socket.id)?.connected(context);
  }

  #onDisconnecting({ socket }: EventContext<App>): void {
    this.#engine?.disconnecting(socket);
  }

  async #onJoin(context: EventContext<App>, { asks, form }: JoinRequest, at: At): Promise<void> {
    if (form === "list" && at === undefined)
      throw invalidInput([{ path: [1], message: "expected a position, or null, beside a list of topics" }]);
    const engine = this.#required("join");
    const known = engine.known(context.socket);
    // Not a moment later where nothing is to be found out: a leave that comes right behind counts.
    if (known) await known;
    const named = asks.map((ask) => ({ ...ask, topic: this.topics.nameOf(ask.topic) }));
    let refused: { readonly error: unknown } | undefined;
    // By hand, in the same turn as the state it tells: a difference sent after it arrives after it.
    await engine.joins.join(context, named, at ?? null, (outcomes) => {
      if (form === "list") {
        const refused = asks.filter((_, i) => "error" in (outcomes[i] as Outcome)).map(({ topic }) => topic);
        const answers = outcomes.map((outcome) => this.#answerOf(outcome));
        return context.reply({ answers, refused } satisfies JoinedAll);
      }
      const [outcome] = outcomes;
      if (outcome && "joined" in outcome) return context.reply(outcome.joined);
      refused = outcome;
      return true;
    });
    if (refused) throw refused.error;
  }

  #answerOf(outcome: Outcome): Joined | Failure {
    if ("joined" in outcome) return outcome.joined;
    if (!isEventError(outcome.error)) this.log.error({ err: printable(outcome.error) }, "the policy of a topic failed");
    return toFailure(outcome.error);
  }

  #onLeave({ socket }: EventContext<App>, topic: string): object {
    this.#engine?.joins.leave(socket, this.topics.nameOf(topic));
    return {};
  }

  async #onCaughtUp(): Promise<object> {
    await this.#required("caught up").history.reach();
    return {};
  }

  /** A call that may be sent again: it runs once. */
  async #onRepeatable(
    calls: RunOnce,
    { socket, event, args, requestId }: RepeatableEvent<App>,
    run: () => Promise<unknown>,
  ): Promise<unknown> {
    if (event.startsWith(ownPrefix)) return run();
    return calls.run({ identity: requesterOf(socket, this.#identityOf(socket)), requestId }, event, args, run);
  }

  #identityOf(socket: object): Identity {
    const engine = this.#engine;
    if (engine !== undefined) return engine.identities.of(socket);
    // Once: what counts or refuses by user would go on without, in silence. After a teardown nobody has forgotten it.
    if (this.#started === undefined && !this.#missed) {
      this.#missed = true;
      this.log.warn(
        "whose a socket is was asked of a realtime door that is not set up: every socket is nobody's; register it with the manager",
      );
    }
    return NOBODY;
  }

  #push(audience: Audience, event: string, payload: readonly unknown[], options?: PushOptions): Promise<Reach | void> {
    const engine = this.#open();
    if (engine) return engine.push(audience.data, event, payload, options);
    this.log.warn({ push: event }, "a push was made while the realtime door was not set up; it reached nobody");
    const nobody = { sockets: 0, nodes: 0, complete: true };
    if (options?.receipts !== undefined) return Promise.resolve({ ...nobody, received: 0 });
    return Promise.resolve(options?.count === true ? nobody : undefined);
  }

  /** A rejection somebody may await, and nobody has to. */
  #unawaited<T>(promise: Promise<T>): Promise<T> {
    promise.catch((error: unknown) => this.log.warn({ err: error }, "a notice had no recipients"));
    return promise;
  }

  #required(method: string): Engine<App> {
    const engine = this.#open();
    if (!engine) throw new Error(`Realtime.${method}: it is not set up with a server`);
    return engine;
  }
}

function checkEvent(method: string, event: unknown): asserts event is string {
  if (typeof event !== "string" || event === "")
    throw new TypeError(`${method}: expected the name of an event, got ${describeValue(event)}`);
  if (isUnsendable(event)) throw new TypeError(`${method}: "${event}" is Socket.IO's own event, no server can send it`);
  if (event.startsWith(ownPrefix))
    throw new TypeError(`${method}: names that begin with "${ownPrefix}" are kept for this package`);
}

/** Who gives a context in place of its socket would change nobody's identity, in silence. */
function checkSocket(method: string, socket: unknown, namespace: string): void {
  const { id, nsp } = (socket ?? {}) as Partial<AppSocket<AppServer>>;
  if (typeof id !== "string")
    throw new TypeError(`${method}: expected a socket, such as a context's, got ${describeValue(socket)}`);
  if (nsp !== undefined && nsp.name !== namespace)
    throw new TypeError(`${method}: expected a socket of the namespace ${namespace}, got one of ${nsp.name}`);
}
