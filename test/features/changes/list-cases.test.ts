import type { Server } from "socket.io";
import { ServiceManager } from "socket-ingress";
import { Changes, type ChangesOptions, type Model, type ModelDefinition } from "socket-ingress/changes";
import { type List, type ListState, openList } from "socket-ingress/changes/client";
import { type Client, createClient } from "socket-ingress/client";
import { Realtime } from "socket-ingress/realtime";
import type { Socket } from "socket.io-client";
import { describe, expect, it, vi } from "vitest";
import { recordingLog } from "../../fixtures/recording-log.js";
import { type ConnectOptions, serve, type Served } from "../../fixtures/serve.js";
import { rounds } from "../../fixtures/soak.js";
import { fast } from "./posts-by-hand.js";
import { storm, type Versioned } from "./storm.js";

interface Post {
  id: number;
  authorId: number;
  title: string;
  email: string;
}

interface ClientToServer {
  posts(reply: (rows: Partial<Post>[]) => void): void;
}
type App = Server<ClientToServer>;

const soon = { interval: 5 };

interface Site<Row> extends AsyncDisposable {
  readonly app: Served<App>;
  readonly realtime: Realtime<App>;
  readonly changes: Changes<App>;
  readonly posts: Model<Row>;
  readonly manager: ServiceManager<App>;
  enter(options?: ConnectOptions): Promise<{ readonly socket: Socket; readonly client: Client<App> }>;
}

/** A server with the model `post`; a client is who it says it is. */
async function site<Row extends { id: number }>(
  definition: Partial<ModelDefinition<Row, App>> = {},
  options: Partial<ChangesOptions<App>> = {},
): Promise<Site<Row>> {
  const app = await serve<App>();
  const realtime = new Realtime<App>({ user: ({ handshake }) => (handshake.auth as { user?: string }).user });
  const changes = new Changes<App>({ realtime, ...options });
  const posts = changes.define<Row>("post", { id: ({ id }) => id, ...definition });
  const manager = new ServiceManager<App>(app.io, { logger: recordingLog(), closeServer: false });
  manager.registerHandler(realtime).registerHandler(changes);
  await manager.boot();
  return {
    app,
    realtime,
    changes,
    posts,
    manager,
    async enter(more) {
      const socket = await app.connect({ ...fast, ...more });
      return { socket, client: createClient<App>(socket) };
    },
    [Symbol.asyncDispose]: async () => {
      await manager.shutdown({ graceMs: 0 });
      await app.close();
    },
  };
}

async function shows<Row>(list: List<Row>, rows: unknown[]): Promise<void> {
  await vi.waitFor(() => expect(list.getSnapshot()).toEqual({ rows, status: "live" }), soon);
}

const post = (id: number, authorId: number, title = "t"): Post => ({ id, authorId, title, email: "secret" });

it("case 2: a list of the topic `Post` is one of `post`", async () => {
  await using server = await site<Post>();
  const { client } = await server.enter();
  await using list = openList<Post>(client, { topic: "Post", load: () => [] });
  await list.ready;
  server.posts.created(post(1, 7));
  await shows(list, [post(1, 7)]);
});

it.each(["DB:", "app/", "App/v1/"])(
  "a list follows its topic behind the prefix %s, whatever the case",
  async (prefix) => {
    await using server = await site<Post>({ topics: ({ authorId }) => [`author/${authorId}`] }, { prefix });
    const { client } = await server.enter();
    const row: Post = { id: 1, authorId: 7, title: "a", email: "" };
    const load = (): Post[] => [];
    await using whole = openList<Post>(client, { topic: `${prefix}Post`, load });
    await using seven = openList<Post>(client, { topic: `${prefix}Post/author/7`, load });
    await Promise.all([whole.ready, seven.ready]);
    server.posts.created(row);
    await shows(whole, [row]);
    await shows(seven, [row]);
    server.posts.updated({ ...row, authorId: 8 }, row);
    await shows(whole, [{ ...row, authorId: 8 }]);
    await shows(seven, []);
  },
);

it("case 8: a list that missed 3 of 1000 kept has them replayed, with none it is current, with more than is kept it is loaded again", async () => {
  await using server = await site<Post>({}, { history: { keep: 5 } });
  const { client, socket } = await server.enter();
  const table: Post[] = [];
  const create = (): void => {
    const row = post(table.length + 1, 7);
    table.push(row);
    server.posts.created(row);
  };
  const load = vi.fn<() => Post[]>(() => [...table]);
  await using list = openList<Post>(client, { topic: "post", load });
  await list.ready;
  for (const [missed, loads] of [
    [3, 1],
    [0, 1],
    [6, 2],
  ] as const) {
    const back = new Promise((resolve) => void client.onReconnect(resolve));
    // It must not be back before the server has been seen without it.
    socket.io.reconnection(false);
    socket.io.engine.close();
    await vi.waitFor(async () => expect((await server.realtime.count({ topic: "post" })).sockets).toBe(0), soon);
    for (let i = 0; i < missed; i++) create();
    socket.io.reconnection(true);
    socket.connect();
    await back;
    await shows(list, table);
    expect(load).toHaveBeenCalledTimes(loads);
  }
});

it("case 8: a list that comes back to a server with another epoch is loaded again", async () => {
  await using server = await site<Post>();
  await using later = await site<Post>();
  const { client, socket } = await server.enter();
  let table = [post(1, 7)];
  await using list = openList<Post>(client, { topic: "post", load: () => table });
  await list.ready;
  for (let i = 0; i < 5; i++) server.posts.updated(post(1, 7, `${i}`), post(1, 7));
  await vi.waitFor(() => expect(list.getSnapshot().rows[0]?.title).toBe("4"), soon);
  table = [post(1, 7, "elsewhere")];
  // Socket.IO's client has no public way to go elsewhere.
  (socket.io as unknown as { uri: string }).uri = later.app.url;
  socket.io.engine.close();
  await shows(list, table);
});

it(
  "case 9: 500 changes in 2.5 s, 8 cuts, slow loads: list = table, and no row is ever shown older",
  { timeout: 300_000 },
  async () => {
    for (let round = 0; round < rounds(30); round++) {
      await using server = await site<Versioned>();
      const { posts } = server;
      await storm(
        {
          created: (row) => posts.created(row),
          updated: (row, old) => posts.updated(row, old),
          deleted: (old) => posts.deleted(old),
          enter: () => server.enter(),
        },
        round,
      );
    }
  },
);

it("case 10: a record that goes from one author to another leaves the one list and comes into the other, all on one connection", async () => {
  await using server = await site<Post>({ topics: ({ authorId }) => [`author/${authorId}`] });
  const { client } = await server.enter();
  const mine = post(1, 7, "mine");
  const load = (authorId?: number) => () => [mine].filter((row) => authorId === undefined || row.authorId === authorId);
  await client.joinTopic("all");
  await using all = openList<Post>(client, { topic: "post", load: load() });
  await using seven = openList<Post>(client, { topic: "post/author/7", load: load(7) });
  await using eight = openList<Post>(client, { topic: "post/author/8", load: load(8) });
  await Promise.all([all.ready, seven.ready, eight.ready]);
  const moved = post(1, 8, "moved");
  server.posts.updated(moved, mine);
  await shows(seven, []);
  await shows(eight, [moved]);
  await shows(all, [moved]);
  const again = post(1, 8, "again");
  server.posts.updated(again, moved);
  await shows(eight, [again]);
  await shows(all, [again]);
  await shows(seven, []);
  const many = [post(2, 7), post(3, 8), post(4, 7)];
  server.posts.created(many);
  await shows(seven, [post(2, 7), post(4, 7)]);
  await shows(eight, [again, post(3, 8)]);
  await shows(all, [again, ...many]);
  server.posts.deleted([post(2, 7), again]);
  await shows(seven, [post(4, 7)]);
  await shows(eight, [post(3, 8)]);
  await shows(all, [post(3, 8), post(4, 7)]);
});

it.each(["", "app", "live/"])(
  "a list takes the changes of its model alone, with the prefix %j, though its topic has the name of another in it",
  async (prefix) => {
    await using server = await site<Post>({ topics: ({ authorId }) => [`author/${authorId}`] }, { prefix });
    const authors = server.changes.define<{ id: number }>("author", { id: ({ id }) => id });
    const { client } = await server.enter();
    const mine = post(7, 7, "mine");
    await using seven = openList<Post>(client, { topic: `${prefix}post/author/7`, load: () => [mine] });
    await using all = openList<Post>(client, { topic: `${prefix}post`, load: () => [mine] });
    await using of = openList<{ id: number }>(client, { topic: `${prefix}author`, load: () => [] });
    await Promise.all([seven.ready, all.ready, of.ready]);
    authors.created({ id: 7 });
    await shows(of, [{ id: 7 }]);
    server.posts.created(post(8, 7));
    await shows(seven, [mine, post(8, 7)]);
    await shows(all, [mine, post(8, 7)]);
    expect(of.getSnapshot().rows).toEqual([{ id: 7 }]);
  },
);

it("case 12: what is written right after `await list.ready` arrives", async () => {
  await using server = await site<Post>();
  const { client } = await server.enter();
  await using list = openList<Post>(client, { topic: "post", load: () => [] });
  await list.ready;
  server.posts.created(post(1, 7));
  await shows(list, [post(1, 7)]);
});

describe("case 14: a login that changes the audience", () => {
  const rows = [post(1, 7), post(2, 8)];
  const definition: Partial<ModelDefinition<Post, App>> = {
    fields: { admin: "*", user: ["id", "title"] },
  };
  const roleOf = (user: string | undefined): string | undefined =>
    user === undefined ? undefined : user === "root" ? "admin" : "user";
  const forUser = ({ id, title }: Post): Partial<Post> => ({ id, title });

  async function opened() {
    const server = await site<Post>(definition, { variant: ({ user }) => roleOf(user) });
    server.manager.ingress.subscribe("posts", ({ socket }) =>
      roleOf(server.realtime.identify(socket as never).user) === "admin" ? rows : rows.map(forUser),
    );
    const entered = await server.enter({ auth: { user: "root" } });
    const list = openList<Partial<Post>>(entered.client, { topic: "post", load: () => entered.client.call("posts") });
    await list.ready;
    expect(list.getSnapshot().rows).toEqual(rows);
    const after: ListState<Partial<Post>>[] = [];
    return { ...entered, server, list, after, watch: () => list.subscribe((state) => after.push(state)) };
  }

  it("on the same connection turns the list over to the new audience's rows, and no old field stays", async () => {
    const { server, socket, list, after, watch } = await opened();
    await using _server = server;
    await server.realtime.setUser(server.app.serverSide(socket) as never, "uma");
    await vi.waitFor(() => expect(list.getSnapshot().rows).toEqual(rows.map(forUser)), soon);
    watch();
    server.posts.updated(post(1, 7, "new"), post(1, 7));
    await shows(list, [{ id: 1, title: "new" }, forUser(post(2, 8))]);
    expect(JSON.stringify(after)).not.toContain("secret");
    await server.realtime.setUser(server.app.serverSide(socket) as never, "root");
    await shows(list, rows);
  });

  it("while it was away turns it over, too", async () => {
    const { server, socket, list, watch, after } = await opened();
    await using _server = server;
    socket.auth = { user: "uma" };
    socket.io.engine.close();
    await vi.waitFor(() => expect(list.getSnapshot().rows).toEqual(rows.map(forUser)), soon);
    watch();
    server.posts.created(post(3, 7));
    await shows(list, [...rows.map(forUser), forUser(post(3, 7))]);
    expect(JSON.stringify(after)).not.toContain("secret");
  });

  it("to nobody leaves nothing", async () => {
    const { server, socket, list } = await opened();
    await using _server = server;
    await server.realtime.setUser(server.app.serverSide(socket) as never, undefined);
    await vi.waitFor(() => expect(JSON.stringify(list.getSnapshot())).not.toContain("secret"), soon);
  });
});

it("case 16: a record whose id changes is another row", async () => {
  await using server = await site<Post>();
  const { client } = await server.enter();
  await using list = openList<Post>(client, { topic: "post", load: () => [post(1, 7)] });
  await list.ready;
  server.posts.updated(post(9, 7), post(1, 7));
  await shows(list, [post(9, 7)]);
});
