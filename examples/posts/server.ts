import { Server } from "socket.io";
import { ServiceManager } from "socket-ingress";
import { Changes } from "socket-ingress/changes";
import { KyselyNotificationStore, Notifications } from "socket-ingress/notifications";
import { plainSockets, sse } from "socket-ingress/plain";
import { QueueService } from "socket-ingress/queue";
import { Realtime } from "socket-ingress/realtime";
import { ownPlace } from "../page/place.js";
import { servePage } from "../page/serve-page.js";
import { giveUp, numberFrom } from "../page/settings.js";
import type { App, Post } from "./app.js";
import { type Database, openDatabase } from "./database.js";
import { ExportFiles } from "./export-files.js";
import { ExportsHandler } from "./exports-handler.js";
import { tellFollowers } from "./follower-news.js";
import { FollowersHandler } from "./followers-handler.js";
import { FollowersRepository } from "./followers-repository.js";
import { PostsRepository } from "./posts-repository.js";
import { postsRoutes } from "./posts-routes.js";
import { visitorOf, visitorRoutes } from "./visitors.js";

/** Makes the program; neither booted nor listening. */
export async function makeManager({ httpServer, web, path } = ownPlace()): Promise<ServiceManager<App>> {
  const slownessMs = numberFrom("EXPORT_MS", 6_000, [0, 60_000]);
  const file = process.env["DATABASE"] || ":memory:";
  const database: Database = await openDatabase(file).catch((error: Error) =>
    giveUp(`DATABASE "${file}" can't be opened: ${error.message}`),
  );

  const realtime = new Realtime<App>({
    user: ({ handshake }) => visitorOf(handshake)?.name,
    session: ({ handshake }) => visitorOf(handshake)?.session,
  });
  const changes = new Changes<App>({ realtime });
  const posts = changes.define<Post>("post", {
    id: ({ id }) => id,
    topics: ({ author }) => [`author/${author}`], // beside "post" and "all"
  });

  const store = new KyselyNotificationStore(database);
  await store.migrate();
  const notifications = new Notifications<App>({ realtime, store });
  const queue = new QueueService<App>({ realtime });
  const repository = new PostsRepository(database);
  const files = new ExportFiles();
  const followers = new FollowersRepository(database);

  const io: App = new Server(httpServer, { path: `${path}socket.io` });
  web
    .use("/posts", postsRoutes(repository, posts, tellFollowers(queue, followers, notifications)))
    .get("/events", sse<App>(io)) // the same changes for whatever speaks no Socket.IO
    .use("/exports", files.routes())
    .use(visitorRoutes(realtime))
    .use(await servePage(new URL("./public", import.meta.url), new URL("./browser/main.ts", import.meta.url)));
  httpServer.on("upgrade", plainSockets<App>(io, { path: `${path}ws` }).upgrade);

  return new ServiceManager<App>(io)
    .registerHandler(realtime)
    .registerHandler(changes)
    .registerHandler(notifications)
    .registerHandler(new FollowersHandler(followers, realtime))
    .registerHandler(new ExportsHandler({ queue, repository, files, slownessMs }))
    .registerService(queue);
}
