import type { Server, ServerOptions } from "socket.io";
import type { Socket } from "socket.io-client";
import { type Client, createClient } from "socket-ingress/client";
import { Realtime, type TopicDefinition, type TopicLog } from "socket-ingress/realtime";
import type { Change } from "../../../src/features/changes/protocol.js";
import { recordingLogger, type RecordingLogger } from "../../client/fixtures/recorder.js";
import { serve, type Served } from "../../fixtures/serve.js";

/** A record of the tests. */
export interface Post {
  id: number;
  authorId: number;
  title: string;
}

type App = Server;

/** How the posts are served. */
export interface PostsOptions extends Partial<TopicDefinition<App>> {
  log?: TopicLog;
  server?: Partial<ServerOptions>;
}

/** What a client of the tests is. */
export interface Reader {
  readonly socket: Socket;
  readonly client: Client;
  readonly logger: RecordingLogger;
}

/** A table of posts, and a topic of its changes as any server could make it: what a list needs, said by hand. */
export interface Posts extends AsyncDisposable {
  readonly app: Served<App>;
  readonly realtime: Realtime<App>;
  /** The rows as they are now. */
  all(): Post[];
  create(title: string, more?: Partial<Post>): Post;
  update(id: number, title: string): Post;
  remove(id: number): void;
  /** Tells of a change as it is given. */
  tell(change: Partial<Change>, topics?: string[]): void;
  /** A client that is connected, and connects again at once when it is cut off. */
  reader(): Promise<Reader>;
}

/** How a client connects again: at once. */
export const fast = { reconnection: true, reconnectionDelay: 1, reconnectionDelayMax: 5, randomizationFactor: 0 };

/** Starts the server; `post` and the narrower topics `post/author/7` keep 1000 changes unless told otherwise. */
export async function servePosts({ log, server, ...definition }: PostsOptions = {}): Promise<Posts> {
  const app = await serve<App>(undefined, server);
  const realtime = new Realtime<App>({ user: () => "ada", ...(log && { log }) });
  const history = { keep: 1_000, maxAgeMs: 60_000 };
  for (const topic of ["post", "post/author/{author}", "all"])
    realtime.topics.define(topic, { public: definition.join === undefined, history, ...definition } as never);
  await realtime.setup(app.io);
  const rows = new Map<number, Post>();
  let lastId = 0;
  const tell: Posts["tell"] = (change, topics = ["post", "all"]) => {
    const whole = { ts: Date.now(), model: "post", method: "PATCH", id: null, many: false, ...change };
    void realtime.emitSocket("change", whole as never, { topics });
  };
  const changed = (method: Change["method"], row: Post): Post => {
    tell({ method, id: row.id, payload: row }, ["post", "all", `post/author/${row.authorId}`]);
    return row;
  };
  return {
    app,
    realtime,
    all: () => [...rows.values()],
    create(title, more) {
      const row = { id: ++lastId, authorId: 7, title, ...more };
      rows.set(row.id, row);
      return changed("POST", row);
    },
    update(id, title) {
      const row = { ...(rows.get(id) as Post), title };
      rows.set(id, row);
      return changed("PATCH", row);
    },
    remove(id) {
      const row = rows.get(id) as Post;
      rows.delete(id);
      changed("DELETE", row);
    },
    tell,
    async reader() {
      const socket = await app.connect(fast);
      const logger = recordingLogger();
      return { socket, client: createClient(socket, { logger }), logger };
    },
    [Symbol.asyncDispose]: () => app.close(),
  };
}
