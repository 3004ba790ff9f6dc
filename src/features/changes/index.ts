/**
 * Records that change, and lists that follow: whatever writes to the database publishes what it did to the topics of its model, clients that
 * joined them are told without a gap, and watchers in the process hear what is different. Its counterpart in the browser is
 * `socket-ingress/changes/client`; a plain socket.io-client hears `change` events.
 *
 * @module
 *
 * @example
 * ```ts
 * import { Server } from "socket.io";
 * import { ServiceManager } from "socket-ingress";
 * import { type Change, Changes } from "socket-ingress/changes";
 * import { Realtime } from "socket-ingress/realtime";
 *
 * interface Post { id: number; title: string; authorId: number; reviewedBy?: string }
 * interface ServerToClient { change(change: Change<Post>): void }
 * type App = Server<Record<string, never>, ServerToClient, Record<string, never>, { user?: string }>;
 *
 * const realtime = new Realtime<App>({ user: ({ data }) => data.user });
 * const changes = new Changes<App>({ realtime, variant: ({ user }) => (user === "root" ? "admin" : "user") });
 * const posts = changes.define<Post>("post", {
 *   id: (post) => post.id,
 *   topics: (post) => [`author/${post.authorId}`],
 *   fields: { admin: "*", user: ["id", "title", "authorId"] },
 * });
 * posts.watch(({ action, id, changes }) => console.log(action, id, changes));
 *
 * const manager = new ServiceManager<App>(new Server(3000)).registerHandler(realtime).registerHandler(changes);
 * await manager.boot();
 *
 * posts.created({ id: 1, title: "Hello", authorId: 7 }); // to "post", "post/author/7" and "all"
 * await manager.shutdown();
 * ```
 */
export { Changes } from "./changes.js";
export type { ChangesOptions } from "./changes-options.js";
export { Model } from "./model.js";
export type { ModelDefinition, ReadTopic } from "./model-definition.js";
export type {
  Change,
  ChangeMethod,
  ChangeOf,
  Deleted,
  Differences,
  Entered,
  ManyChange,
  OneChange,
  RecordId,
  View,
  ViewChanged,
} from "./protocol.js";
export { expressChanges } from "./sources/express-changes.js";
export type { ExpressMiddleware, ExpressRequest, ExpressResponse } from "./sources/express-changes.js";
export { fastifyChanges } from "./sources/fastify-changes.js";
export type { FastifyPlugin, FastifyScope } from "./sources/fastify-changes.js";
export { follow } from "./sources/follow.js";
export { honoChanges } from "./sources/hono-changes.js";
export type { HonoContext, HonoMiddleware } from "./sources/hono-changes.js";
export { kyselyChanges } from "./sources/kysely-changes.js";
export type { KyselyChangesPlugin } from "./sources/kysely-changes.js";
export { prismaChanges } from "./sources/prisma-changes.js";
export type { PrismaChangesExtension, PrismaOperation } from "./sources/prisma-changes.js";
export type { RouteOptions } from "./sources/route.js";
export type { LoadOld, SourceOptions } from "./sources/source.js";
export type { Created, Removed, Updated, Watched, WatchedRecord, WatchOptions } from "./watchers.js";
