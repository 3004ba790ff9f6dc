import { CamelCasePlugin, Kysely, SqliteDialect } from "kysely";
import Database from "libsql";
import { describe, expect, it } from "vitest";
import {
  KyselyNotificationStore,
  MemoryNotificationStore,
  type NotificationStore,
  type NotificationToKeep,
} from "socket-ingress/notifications";
import { contract } from "socket-ingress/testing";
import { sqlite, sqliteStore } from "./stage.js";

let created = 0;
const one = (user: string, more: Partial<NotificationToKeep> = {}): NotificationToKeep => ({
  id: `n${created}`,
  user,
  title: "title",
  message: "",
  icon: "",
  data: null,
  createdAt: created++,
  idempotencyKey: undefined,
  ...more,
});
const page = (store: NotificationStore, user: string) => store.page(user, { before: undefined, limit: 100 }, -1);

describe("the store in memory", () => {
  for (const { name, run } of contract(new MemoryNotificationStore())) it(name, run);

  it("keeps at most so many of a user: the oldest go, and the count is that of the rest", async () => {
    const store = new MemoryNotificationStore({ maxPerUser: 3 });
    for (let i = 0; i < 1_000; i++) store.add(one("ada", { idempotencyKey: `k${i}` }), -1);
    const { items, unread, version } = await page(store, "ada");
    expect([items.length, unread, version]).toEqual([3, 3, 1_000]);
    expect(store.stats.notifications).toBe(3);
    expect(store.add(one("ada", { idempotencyKey: "k999" }), -1)).toMatchObject({ isNew: false });
    expect(store.add(one("ada", { idempotencyKey: "k1" }), -1)).toMatchObject({ isNew: true, unread: 3 });
  });

  it("keeps at most so many altogether, and at most its bytes: the oldest go, and their users are told at the next pruning", async () => {
    for (const options of [{ maxTotal: 10 }, { maxBytes: 2_000 }]) {
      const store = new MemoryNotificationStore(options);
      for (let i = 0; i < 500; i++) store.add(one(`user ${i % 50}`), -1);
      const { notifications, bytes } = store.stats;
      expect(notifications).toBeLessThanOrEqual(10);
      expect(notifications).toBeGreaterThan(5);
      expect(bytes).toBeLessThanOrEqual(2_000);
      expect((await page(store, "user 49")).unread).toBe(1);
      expect(await page(store, "user 1")).toMatchObject({ items: [], unread: 0 });
      const told = store.prune(-1, 100);
      expect(told).toHaveLength(50);
      for (const { user, unread, version } of told) expect(await page(store, user)).toMatchObject({ unread, version });
      expect(store.prune(-1, 100)).toEqual([]);
    }
  });

  it("one that is larger than all that may be kept is kept alone", () => {
    const store = new MemoryNotificationStore({ maxBytes: 10 });
    for (let i = 0; i < 3; i++) store.add(one("ada"), -1);
    expect(store.stats.notifications).toBe(1);
  });

  it("what was kept and is gone holds no memory, whoever else's is still there", () => {
    const store = new MemoryNotificationStore({ maxPerUser: 1 });
    store.add(one("old"), -1);
    for (let i = 0; i < 10_000; i++) store.add(one("busy"), -1);
    expect(store.stats.notifications).toBe(2);
    for (let i = 0; i < 1_000; i++) store.add(one(`user ${i}`), created - 1);
    expect(store.stats.notifications).toBe(1);
  });

  it("a bound that is none is a TypeError", () => {
    expect(() => new MemoryNotificationStore({ maxPerUser: 0 })).toThrow(
      "MemoryNotificationStore: maxPerUser must be a whole number from 1, or Infinity for no limit, got 0",
    );
  });
});

describe("the store in SQLite", async () => {
  for (const { name, run } of contract(await sqliteStore())) it(name, run);

  it("takes at most four statements in one transaction for a send, and two for a page", async () => {
    const statements: string[] = [];
    const db = new Kysely<unknown>({
      dialect: new SqliteDialect({ database: new Database(":memory:") }),
      log: ({ query }) => void statements.push(query.sql),
    });
    const store = await sqliteStore(db);
    const during = async (work: () => Promise<unknown>): Promise<string[]> => {
      statements.length = 0;
      await work();
      return statements.map((sql) => sql.split(" ")[0] ?? "");
    };
    expect(await during(() => store.add(one("ada", { idempotencyKey: "k" }), -1))).toEqual([
      "begin",
      "insert",
      "insert",
      "select",
      "commit",
    ]);
    const again = await during(() => store.add(one("ada", { idempotencyKey: "k" }), -1));
    expect(again).toEqual(["begin", "insert", "insert", "select", "rollback"]);
    expect(await during(() => page(store, "ada") as Promise<unknown>)).toEqual(["select", "select"]);
  });

  it("counts in an index, without a look at the rows", async () => {
    const db = sqlite();
    await sqliteStore(db);
    const plan = new Database(":memory:");
    const tables = await db
      .selectFrom("sqlite_master" as never)
      .select("sql" as never)
      .execute();
    for (const { sql } of tables as { sql: string | null }[]) if (sql !== null) plan.exec(sql);
    const [{ detail }] = plan
      .prepare(
        "explain query plan select count(*) from ingress_notification where user_id = ? and read_at is null and created_at > ?",
      )
      .all("ada", 0) as [{ detail: string }];
    expect(detail).toContain("USING COVERING INDEX ingress_notification_unread");
  });

  it("goes by the application's own plugins no more than by its tables", async () => {
    const db = new Kysely<unknown>({
      dialect: new SqliteDialect({ database: new Database(":memory:") }),
      plugins: [new CamelCasePlugin()],
    });
    const store = new KyselyNotificationStore(db, { prefix: "app_" });
    await store.migrate();
    await store.migrate();
    await store.add(one("ada", { data: { a_b: 1 } }), -1);
    expect((await page(store, "ada")).items).toMatchObject([{ data: { a_b: 1 } }]);
    await store.migration.down?.(db);
    await expect(page(store, "ada")).rejects.toThrow("no such table: app_notification_user");
  });

  it("rejects with what the database says", async () => {
    const store = new KyselyNotificationStore(sqlite());
    await expect(store.add(one("ada"), -1)).rejects.toThrow("no such table: ingress_notification_user");
    await expect(store.mark("ada", { upTo: 1 }, 1, -1)).rejects.toThrow("no such table");
  });

  it("a prefix that is none is a TypeError", () => {
    expect(() => new KyselyNotificationStore(sqlite(), { prefix: "a; drop" })).toThrow(
      'KyselyNotificationStore: prefix must be at most 30 letters, digits and _, got "a; drop"',
    );
    expect(() => new KyselyNotificationStore(sqlite(), { prefix: "x".repeat(31) })).toThrow("at most 30");
  });
});

it("contract expects a port", () => {
  expect(() => contract({} as never)).toThrow("contract expects an implementation of a port");
});
