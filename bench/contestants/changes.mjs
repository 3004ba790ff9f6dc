/**
 * Changes of records and broadcasts of Socket.IO alone in one server process, to the same sockets, and routes of Express with a source,
 * without, and with what one would write by hand. A client joins the model's topic as clients do; the model's policy puts its socket into the rooms of raw and of the control, so that
 * all three hold the same sockets in the same order. What is broadcast is the change itself.
 */
import { createServer } from "node:http";
import express from "express";
import { Kysely, SqliteDialect } from "kysely";
import Database from "libsql";
import { Server } from "socket.io";
import { loadDoor, ServiceManager } from "./build.mjs";
import { payload, serverOptions } from "../load/workload.mjs";

const { Realtime } = await loadDoor("realtime");
const { Changes, expressChanges } = await loadDoor("changes");

const changeOf = (row) => ({ ts: Date.now(), model: "post", method: "POST", id: row.id, many: false, payload: row });

/** A database in memory, and what every route does with it: the same statement, by the library that the guide shows. */
async function openTable() {
  const db = new Kysely({ dialect: new SqliteDialect({ database: new Database(":memory:") }) });
  await db.schema
    .createTable("note")
    .addColumn("id", "integer", (column) => column.primaryKey())
    .addColumn("room", "text")
    .addColumn("text", "text")
    .execute();
  return async (request, response) => {
    const { room, text } = request.body;
    const note = await db.insertInto("note").values({ room, text }).returningAll().executeTakeFirstOrThrow();
    response.status(201).json(note);
  };
}

/** What somebody would write who has no source: a broadcast by Socket.IO of what the route has answered, without a history. */
const byHand = (io) => (_request, response, next) => {
  const { json } = response;
  let row;
  response.json = function answerWith(value) {
    row = value;
    return json.call(this, value);
  };
  response.on("close", () => setImmediate(() => io.to("note").to("all").emit("change", changeOf(row))));
  next();
};

/** Starts the server and resolves to its port. `control` publishes `count` times by one of the `ways`, each in a turn of its own. */
export async function start() {
  const app = express();
  const httpServer = createServer(app);
  const io = new Server(httpServer, serverOptions);
  const realtime = new Realtime();
  const changes = new Changes({ realtime });
  const posts = changes.define("post", {
    id: ({ id }) => id,
    mayRead: ({ socket }) => void socket.join(["raw", "control"]),
  });
  const notes = changes.define("note", { id: ({ id }) => id });
  await new ServiceManager(io).registerHandler(realtime).registerHandler(changes).boot();

  const answer = await openTable();
  for (const way of ["raw", "control"]) app.post(`/${way}`, express.json(), answer);
  app.post("/byHand", byHand(io), express.json(), answer);
  app.post("/ours", expressChanges(notes), express.json(), answer);
  await new Promise((resolve) => httpServer.listen(0, "127.0.0.1", resolve));

  const ways = {
    raw: () => io.to("raw").emit("change", changeOf(payload)),
    control: () => io.to("control").emit("change", changeOf(payload)),
    ours: () => posts.created(payload),
  };
  return {
    port: httpServer.address().port,
    async control({ way, count }) {
      const publish = ways[way];
      for (let i = 0; i < count; i++) {
        publish();
        await new Promise(setImmediate);
      }
    },
  };
}
