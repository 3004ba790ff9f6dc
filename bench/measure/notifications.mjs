/** What a page of notifications takes with its count, for a user with few unread and one with many: in memory and in SQLite. */
import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { loadDoor } from "../contestants/build.mjs";
import { serveCommands } from "./processes.mjs";
import { median } from "./statistics.mjs";

const { KyselyNotificationStore, MemoryNotificationStore } = await loadDoor("notifications");

async function openSqlite() {
  const [{ Kysely, SqliteDialect }, { default: Database }] = [await import("kysely"), await import("libsql")];
  const store = new KyselyNotificationStore(
    new Kysely({ dialect: new SqliteDialect({ database: new Database(":memory:") }) }),
  );
  await store.migrate();
  return store;
}

const openers = { memory: () => new MemoryNotificationStore(), sqlite: openSqlite };

const one = (user) => ({
  id: randomUUID(),
  user,
  title: "Shipped",
  message: "Order 7 is on its way",
  icon: "",
  data: { order: 7 },
  createdAt: Date.now(),
  idempotencyKey: undefined,
});

/** Microseconds of a page of 50 and its count, for users with so many unread. */
async function pages({ kind, few = 50, many = 10_000, samples = 300 }) {
  const store = await openers[kind]();
  const users = { few, many };
  for (const [user, count] of Object.entries(users)) for (let i = 0; i < count; i++) await store.add(one(user), -1);
  const us = { few: [], many: [] };
  for (let sample = -30; sample < samples; sample++) {
    for (const user of Object.keys(users)) {
      const from = process.hrtime.bigint();
      const { unread, items } = await store.page(user, { before: undefined, limit: 50 }, -1);
      const took = Number(process.hrtime.bigint() - from) / 1_000;
      if (unread !== users[user] || items.length !== 50) throw new Error(`${user}: ${unread} were counted`);
      if (sample >= 0) us[user].push(took);
    }
  }
  return { few: median(us.few), many: median(us.many) };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) serveCommands({ pages });
