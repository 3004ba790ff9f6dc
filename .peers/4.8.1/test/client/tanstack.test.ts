import { QueryClient, QueryObserver } from "@tanstack/query-core";
import type { Server } from "socket.io";
import { createClient } from "socket-ingress/client";
import { expect, it, vi } from "vitest";
import { serve } from "../fixtures/serve.js";

interface ClientToServer {
  get_items(reply: (items: string[]) => void): void;
}
interface ServerToClient {
  items_changed(): void;
}
type App = Server<ClientToServer, ServerToClient>;

it("a signal invalidates a TanStack query, by a port of two lines", async () => {
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

  // The port.
  const invalidate = (event: "items_changed", queryKey: string[]): (() => void) =>
    client.refetchOnSocket(event, () => queries.invalidateQueries({ queryKey }));

  const off = invalidate("items_changed", ["items"]);
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
