import { Changes, type Model } from "socket-ingress/changes";
import { expect, it } from "vitest";
import { openPlain } from "../features/plain/plain-door.js";

interface Post {
  readonly id: number;
  readonly title: string;
}

it("a change of a record reaches event streams and WebSockets as its envelope, and what is missed is had by Last-Event-ID", async () => {
  const made: Model<Post>[] = [];
  await using plain = await openPlain(
    {},
    {
      before(manager, realtime) {
        const changes = new Changes({ realtime });
        manager.registerHandler(changes);
        made.push(changes.define<Post>("post", { id: ({ id }) => id }));
      },
    },
  );
  const posts = made[0]!;
  await using socket = await plain.socket("?topic=Post");
  await using everything = await plain.socket();
  for (const one of [socket, everything]) await one.ask({ event: "sync" });
  const stream = await plain.stream("?topic=post&topic=all");
  posts.created({ id: 1, title: "first" });
  await stream.until(() => stream.events.length === 1);
  const told = expect.objectContaining({ model: "post", method: "POST", id: 1, payload: { id: 1, title: "first" } });
  expect(stream.events[0]).toEqual({ event: "change", id: expect.any(String), data: told });
  for (const one of [socket, everything]) {
    await one.until(() => one.frames.length === 2);
    expect(one.frames[1]).toEqual(told);
  }
  stream.close();
  await stream.ended;
  posts.updated({ id: 1, title: "second" }, { id: 1, title: "first" });
  posts.deleted({ id: 1, title: "second" });
  await using back = await plain.stream("?topic=post&topic=all", { lastId: stream.lastId });
  await back.until(() => back.events.length === 2);
  expect(back.got("change").map(({ method }) => method as string)).toEqual(["PATCH", "DELETE"]);
});
