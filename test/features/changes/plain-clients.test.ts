import { expect, it } from "vitest";
import { plainSockets } from "socket-ingress/plain";
import { dial } from "../plain/socket-reader.js";
import { byRole, followed, type Post, post } from "./followed.js";

it("a WebSocket without a library hears changes and nothing before them, where what is shown depends on who asks, too", async () => {
  await using door = await followed(
    (changes) => changes.define<Post>("post", { id: ({ id }) => id, fields: { admin: "*", user: ["id", "title"] } }),
    { changes: { ...byRole, prefix: "db:" } },
  );
  const { io, httpServer, url } = door.served;
  httpServer.on("upgrade", plainSockets(io, { auth: () => ({ user: "user.1" }) }).upgrade);
  await using plain = await dial(`${url}/ws?topic=db:post`);
  expect(await plain.ask({ subscribe: "db:all" })).toEqual({ subscribed: "db:all", id: "q1" });
  door.models.created(post(1, { email: "a@b" }));
  await plain.until(() => plain.frames.length > 1);
  expect(plain.frames.slice(1)).toMatchObject([{ model: "post", payload: { id: 1, title: "post 1" } }]);

  const [socket] = io.sockets.sockets.values();
  if (socket) await door.realtime.setUser(socket, "admin.1");
  await plain.until(() => plain.frames.length > 2);
  expect(plain.frames[2]).toMatchObject({ event: "change:view" });
});

it("a WebSocket without a library hears changes and nothing before them behind a prefix", async () => {
  await using door = await followed((changes) => changes.define<Post>("post", { id: ({ id }) => id }), {
    changes: { prefix: "db:" },
  });
  const { io, httpServer, url } = door.served;
  httpServer.on("upgrade", plainSockets(io).upgrade);
  await using plain = await dial(`${url}/ws?topic=db:post`);
  expect(await plain.ask({ subscribe: "db:all" })).toEqual({ subscribed: "db:all", id: "q1" });
  door.models.created(post(1));
  await plain.until(() => plain.frames.length > 1);
  expect(plain.frames.slice(1)).toMatchObject([{ model: "post", payload: { id: 1 } }]);
});
