/**
 * Server push for the clients of a Socket.IO server: audiences, topics with policies, presence, signals to ask again, calls that
 * run once, notices, sessions and groups, on one node or many. Its counterpart in the browser is `socket-ingress/client`.
 *
 * @module
 *
 * @example
 * ```ts
 * import { Server } from "socket.io";
 * import { EventError, ServiceManager } from "socket-ingress";
 * import { Realtime, user } from "socket-ingress/realtime";
 *
 * interface ServerToClient { items_changed(change: { source: string }): void }
 * type App = Server<Record<string, never>, ServerToClient, Record<string, never>, { user?: string }>;
 *
 * const readers = new Set(["ada", "grace"]);
 * const realtime = new Realtime<App>({ user: ({ data }) => data.user });
 * realtime.topics.define("room:{id}", {
 *   join({ user: id }, { id: room }) {
 *     if (!readers.has(id ?? "")) throw new EventError("FORBIDDEN", `room ${room} is not for you`);
 *   },
 *   presence: true,
 * });
 *
 * const manager = new ServiceManager<App>(new Server(3000)).registerHandler(realtime);
 * await manager.boot();
 *
 * await realtime.emitSocket("items_changed", { source: "import" }, { topic: "room:42", except: user("ada") });
 * await manager.shutdown();
 * ```
 */
export {
  Audience,
  everyone,
  group,
  nobody,
  players,
  session,
  socket,
  topic,
  union,
  user,
} from "../../push/audience.js";
export type { AudienceData, AudienceName } from "../../push/audience.js";
export type { ClusterMessages } from "../../push/cluster-messages.js";
export type { Answers, Reach } from "../../push/cluster.js";
export { createEmitter, Emitter } from "./emitter.js";
export type { EmitterOptions } from "./emitter.js";
export type { Group, WaitForGroupOptions } from "./groups/group.js";
export type { Groups } from "./groups/groups.js";
export type { IdentifiedSocket, Identity } from "./identity.js";
export { MemoryMemberships } from "./groups/memberships.js";
export type { Memberships, Place } from "./groups/memberships.js";
export type { PresenceOptions } from "./presence-sync.js";
export type { PresenceSettings } from "./presence-settings.js";
export type {
  Ended,
  Evicted,
  Joined,
  JoinedAll,
  Member,
  Notice,
  PresenceChange,
  PresenceEntry,
  PresenceNews,
  PresenceState,
  PresenceVersion,
  Refetch,
} from "./protocol.js";
export type { PushOptions, ReceiptOptions, Receipts } from "../../push/push-options.js";
export type { NoticeData, OneArgumentOnly, PushData, PushEvent, RefetchAction, RefetchPayload } from "./push-types.js";
export { Realtime } from "./realtime.js";
export type { DisconnectOptions, NotifyOptions, RealtimeStats, RefetchOptions, RevokeOptions } from "./realtime.js";
export type { RealtimeOptions } from "./realtime-options.js";
export { RealtimeController } from "./realtime-controller.js";
export { RealtimeService } from "./realtime-service.js";
export { otherInGroup, othersInGroup, othersInSession } from "./groups/recipients.js";
export type { Asking, Recipients, RecipientsSource, RelativeRecipients } from "./groups/recipients.js";
export type { CallsOptions, CallsOptions as RequestWindowOptions } from "./calls/calls-options.js";
export type {
  CallKey,
  CallStore,
  CallTimes,
  Claim,
  ClaimAnswered,
  ClaimRefused,
  ClaimToRun,
} from "./calls/call-store.js";
export { MemoryCallStore } from "./calls/memory-call-store.js";
export type { MemoryCallStoreOptions } from "./calls/memory-call-store.js";
export { RedisCallStore } from "./calls/redis-call-store.js";
export type { RedisCallStoreOptions } from "./calls/redis-call-store.js";
export type { Names, Target, TargetOptions } from "../../push/target.js";
export type { GrantedContext, LeftContext, LeftReason, TopicContext } from "./topic-context.js";
export type { ParamsOf } from "./topic-pattern.js";
export { Topics } from "./topics.js";
export type { HistorySettings, MatchedTopic, PresenceInfo, TopicDefinition, TopicDescription } from "./topics.js";
export { MemoryWaitingRoom } from "./groups/waiting-room.js";
export type { WaitingRoom } from "./groups/waiting-room.js";
export type { Awaitable } from "../../wire/values.js";
export { MemoryTopicLog } from "../../push/memory-topic-log.js";
export type { MemoryTopicLogOptions } from "../../push/memory-topic-log.js";
export type { IoRedisClient, NodeRedisClient, RedisClient } from "../../push/redis-client.js";
export { RedisTopicLog } from "../../push/redis-topic-log.js";
export type { RedisTopicLogOptions } from "../../push/redis-topic-log.js";
export type {
  LoggedEntry,
  Missed,
  Position,
  Rendition,
  TopicEntry,
  TopicHistory,
  TopicLog,
} from "../../push/topic-log.js";
