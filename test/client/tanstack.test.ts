import { QueryClient, QueryObserver } from "@tanstack/query-core";
import type { Server } from "socket.io";
import { type Client, createClient } from "socket-ingress/client";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { serve } from "../fixtures/serve.js";
import { FakeSocket, failure } from "./fixtures/fake-socket.js";

interface ClientToServer {
  get_items(reply: (items: string[]) => void): void;
}
interface ServerToClient {
  items_changed(): void;
}
type App = Server<ClientToServer, ServerToClient>;

/** The port, as the guide has it. */
const follow = (client: Client<App>, queries: QueryClient, queryKey: string[]): (() => void) =>
  client.refetchOnSocket("items_changed", async () => {
    await queries.cancelQueries({ queryKey });
    await queries.invalidateQueries({ queryKey });
  });

describe("a TanStack query, by the port of the guide", () => {
  const queryKey = ["items"];

  /** A query whose server answers when the test says, with what there is when it is asked. */
  function stage(options: { retry?: boolean; retryDelay?: number } = {}) {
    const socket = FakeSocket.connected();
    const client = createClient<App>(socket);
    const queries = new QueryClient();
    const observer = new QueryObserver(queries, {
      queryKey,
      queryFn: ({ signal }) => client.with({ signal }).call("get_items"),
      staleTime: Infinity,
      retry: false,
      ...options,
    });
    follow(client, queries, queryKey);
    const shown = (): unknown => queries.getQueryData(queryKey);
    const turn = async (): Promise<void> => void (await vi.advanceTimersByTimeAsync(0));
    return { socket, client, queries, observer, shown, turn };
  }

  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("that is fetched for the first time is fetched again", async () => {
    const { socket, observer, shown, turn } = stage();
    observer.subscribe(() => {});
    await turn();
    const old = socket.takeOne();
    socket.push("items_changed");
    await turn();
    old.reply(["old"]);
    await turn();
    socket.takeOne().reply(["new"]);
    await turn();
    expect(shown()).toEqual(["new"]);
    expect(socket.sent).toEqual([]);
  });

  it("that is fetched later is fetched again", async () => {
    const { socket, observer, shown, turn } = stage();
    observer.subscribe(() => {});
    await turn();
    socket.takeOne().reply(["first"]);
    await turn();
    socket.push("items_changed");
    await turn();
    const old = socket.takeOne();
    await vi.advanceTimersByTimeAsync(50);
    socket.push("items_changed");
    await turn();
    old.reply(["old"]);
    await vi.advanceTimersByTimeAsync(50);
    socket.takeOne().reply(["new"]);
    await turn();
    expect(shown()).toEqual(["new"]);
  });

  it("that pauses before it tries again is fetched now", async () => {
    const { socket, observer, shown, turn } = stage({ retry: true, retryDelay: 60_000 });
    observer.subscribe(() => {});
    await turn();
    socket.takeOne().reply(failure("INTERNAL"));
    await turn();
    socket.push("items_changed");
    await turn();
    socket.takeOne().reply(["new"]);
    await turn();
    expect(shown()).toEqual(["new"]);
  });

  it("that nobody shows is fetched when somebody does", async () => {
    const { socket, observer, shown, turn } = stage();
    const hide = observer.subscribe(() => {});
    await turn();
    socket.takeOne().reply(["old"]);
    await turn();
    hide();
    socket.push("items_changed");
    await turn();
    expect(socket.sent).toEqual([]);
    observer.subscribe(() => {});
    await turn();
    socket.takeOne().reply(["new"]);
    await turn();
    expect(shown()).toEqual(["new"]);
  });
});

it("a signal invalidates a TanStack query, by the port of the guide", async () => {
  let items = ["first"];
  const asked = vi.fn<() => void>();
  await using app = await serve<App>((io) => {
    io.on("connection", (socket) => {
      socket.on("get_items", (reply) => {
        asked();
        reply(items);
      });
    });
  });
  const client = createClient<App>(await app.connect());
  const queries = new QueryClient();

  const off = follow(client, queries, ["items"]);
  const observer = new QueryObserver(queries, {
    queryKey: ["items"],
    queryFn: ({ signal }) => client.with({ signal }).call("get_items"),
    staleTime: Infinity,
  });
  const seen: string[][] = [];
  const until = (count: number): Promise<void> =>
    vi.waitFor(() => {
      expect(seen).toHaveLength(count);
    });
  const unsubscribe = observer.subscribe(({ data }) => {
    if (data && data !== seen.at(-1)) seen.push(data);
  });
  await until(1);
  items = ["first", "second"];
  for (let n = 0; n < 50; n++) app.io.emit("items_changed");
  await until(2);
  expect(seen).toEqual([["first"], ["first", "second"]]);
  await vi.waitFor(() => {
    expect(queries.isFetching()).toBe(0);
  });
  expect(asked.mock.calls.length).toBeLessThanOrEqual(3);

  off();
  unsubscribe();
  queries.clear();
});
