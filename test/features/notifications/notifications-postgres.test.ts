import { Kysely, PostgresDialect } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { KyselyNotificationStore, type NotificationStore } from "socket-ingress/notifications";
import { contract } from "socket-ingress/testing";
import { needs } from "../../fixtures/needs.js";
import { type OwnPostgres, ownPostgres } from "../../fixtures/postgres.js";
import { testNotifications } from "./notifications-suite.js";
import { comesBack, openStage } from "./stage.js";

needs("postgres")("in PostgreSQL", () => {
  let postgres: OwnPostgres;
  let db: Kysely<unknown>;
  let stores = 0;

  beforeAll(async () => {
    postgres = await ownPostgres();
    db = new Kysely({ dialect: new PostgresDialect({ pool: postgres.pool() }) });
  }, 60_000);
  afterAll(async () => {
    await postgres[Symbol.asyncDispose]();
  }, 60_000);

  /** One with tables of its own. */
  async function openStore(): Promise<KyselyNotificationStore> {
    const store = new KyselyNotificationStore(db, { prefix: `t${stores++}_` });
    await store.migrate();
    return store;
  }

  describe("the store", () => {
    // It is made when the database is there.
    const inHand: NotificationStore = {
      add: async (...args) => (await store()).add(...args),
      page: async (...args) => (await store()).page(...args),
      mark: async (...args) => (await store()).mark(...args),
      prune: async (...args) => (await store()).prune(...args),
    };
    let made: Promise<KyselyNotificationStore> | undefined;
    const store = (): Promise<KyselyNotificationStore> => (made ??= openStore());
    for (const { name, run } of contract(inHand)) it(name, run, 30_000);

    it("makes its tables though several nodes do it at once", async () => {
      for (const prefix of ["at_once_", "once_more_", "and_again_"]) {
        const nodes = Array.from({ length: 8 }, () => new KyselyNotificationStore(db, { prefix }));
        await Promise.all(nodes.map((node) => node.migrate()));
        expect((await nodes[0]!.page("ada", { before: undefined, limit: 1 }, -1)).unread).toBe(0);
      }
    });

    it("200 concurrent mixed operations: the count equals the rows, versions rise strictly, and there is no deadlock", async () => {
      const store = await openStore();
      const users = ["ada", "bob", "eve"];
      const sent = await Promise.all(
        users.flatMap((user) => [1, 2, 3].map((i) => add(store, user, `${user} ${i}`, 1_000 + i))),
      );
      const told = new Map(users.map((user) => [user, [] as { version: number; unread: number }[]]));
      const note = (user: string, change: { version: number; unread: number }): void =>
        void told.get(user)!.push(change);
      await Promise.all(
        Array.from({ length: 200 }, async (_, i) => {
          const user = users[i % 3]!;
          const { notification } = sent[i % sent.length]!;
          if (i % 5 === 0) {
            const kept = await add(store, user, `op ${i % 50}`, 2_000 + i);
            if (kept.isNew) note(user, kept);
          } else if (i % 5 === 4) {
            for (const pruned of await store.prune(1_000 + (i % 3), 10)) note(pruned.user, pruned);
          } else {
            const marks = i % 2 === 0 ? { ids: [notification.id] } : { upTo: notification.seq };
            const marked = await store.mark(user, marks, i, -1);
            if (marked.changed > 0) note(user, marked);
          }
        }),
      );
      for (const user of users) {
        const { items, unread, version } = await store.page(user, { before: undefined, limit: 1_000 }, -1);
        expect(unread).toBe(items.filter(({ readAt }) => readAt === null).length);
        const versions = told.get(user)!.map((change) => change.version);
        // Each change has a version of its own, and they follow one another from what was sent first.
        expect(versions.toSorted((one, other) => one - other)).toEqual(versions.map((_, i) => 4 + i));
        expect(Math.max(...versions)).toBe(version);
        expect(told.get(user)!.find((change) => change.version === version)?.unread).toBe(unread);
      }
    }, 60_000);
  });

  it.each(["repeatable read", "serializable"])(
    "a database whose transactions are %s unless told otherwise refuses none of many changes at once",
    async (level) => {
      const pool = postgres.pool();
      pool.on("connect", (client) => void client.query(`set default_transaction_isolation = '${level}'`));
      const strict = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) });
      const store = new KyselyNotificationStore(strict, { prefix: `t${stores++}_` });
      await store.migrate();
      const sent = await Promise.all(
        Array.from({ length: 30 }, (_, i) => add(store, "ada", `key ${i % 20}`, 1_000 + i)),
      );
      expect(sent.filter(({ isNew }) => isNew)).toHaveLength(20);
      await Promise.all(sent.map(({ notification: { id } }) => store.mark("ada", { ids: [id] }, 2_000, -1)));
      expect(await store.page("ada", { before: undefined, limit: 100 }, -1)).toMatchObject({ unread: 0, version: 40 });
      await strict.destroy();
    },
    60_000,
  );

  testNotifications(openStore);

  it("13., 14. a database that is restarted under a server: tabs come back, and the count is what it was", async () => {
    await using stage = await openStage({ store: await openStore() });
    const tab = await stage.tab("ada", {}, comesBack);
    await stage.notifications.send("ada", { title: "1" });
    await tab.unread(1);
    await postgres.restart();
    await expect
      .poll(() => stage.notifications.send("ada", { title: "2", idempotencyKey: "2" }).catch(() => undefined), {
        timeout: 30_000,
      })
      .toMatchObject({ notification: { title: "2" } });
    await tab.unread(2);
    expect((await stage.tab("ada")).inbox.getSnapshot().unread).toBe(2);
  }, 60_000);
});

async function add(store: NotificationStore, user: string, key: string, createdAt: number) {
  return store.add(
    {
      id: crypto.randomUUID(),
      user,
      title: key,
      message: "",
      icon: "",
      data: null,
      createdAt,
      idempotencyKey: key,
    },
    -1,
  );
}
