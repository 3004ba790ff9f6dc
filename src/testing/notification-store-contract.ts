import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type {
  Kept,
  KeptBefore,
  Notification,
  NotificationStore,
  NotificationToKeep,
} from "../features/notifications/notification-store.js";
import type { ContractCase } from "./contract.js";

/** Before anything here was created. */
const EVER = -1;

/** Behind everything here, and long before anything of an application: notifications of the cases are of January 1970. */
const LONG_AGO = 1e9;

const ids = (items: readonly Notification[]): string[] => items.map(({ id }) => id);
/** One of a list that is long enough, or the case has failed. */
const nth = <Item>(list: readonly Item[], i: number): Item => {
  assert.ok(i < list.length, `there are ${list.length}, and no ${i + 1}`);
  return list[i] as Item;
};
const isNew = (kept: Kept | KeptBefore): Kept => {
  assert.ok(kept.isNew);
  return kept;
};

/** What a {@link NotificationStore} promises, as cases for `contract`. */
export function notificationStoreContract(store: NotificationStore): ContractCase[] {
  const cases: ContractCase[] = [];
  // A store may be used by several cases, so each has users and times of its own.
  let clock = 1_000;
  const it = (name: string, run: (user: string, other: string) => Promise<void>): void => {
    cases.push({
      name,
      run: async () => {
        clock += 1_000;
        await run(randomUUID(), randomUUID());
      },
    });
  };
  const one = (user: string, more: Partial<NotificationToKeep> = {}): NotificationToKeep => ({
    id: randomUUID(),
    user,
    title: "title",
    message: "",
    icon: "",
    data: null,
    createdAt: clock++,
    idempotencyKey: undefined,
    ...more,
  });
  const add = async (user: string, more?: Partial<NotificationToKeep>): Promise<Kept> =>
    isNew(await store.add(one(user, more), EVER));
  const addAll = async (user: string, count: number): Promise<Notification[]> => {
    const added = [];
    for (let i = 0; i < count; i++) added.push((await add(user)).notification);
    return added;
  };
  const page = (user: string, limit = 100, before?: number, since = EVER) => store.page(user, { before, limit }, since);
  const state = async (user: string) => {
    const { unread, version } = await page(user, 1);
    return { unread, version };
  };

  it("whoever never had a notification has an empty page and none unread", async (user) => {
    const { items, more, unread } = await page(user);
    assert.deepEqual([items, more, unread], [[], false, 0]);
  });

  it("a notification comes back as it was given, unread, and is counted", async (user) => {
    const given = one(user, {
      title: `<b> ü ☃ 😀 ' " \\ ;--`,
      message: "two\nlines",
      icon: "https://example.com/i.png",
      data: { list: [1, null, "x"], deep: { is: true } },
      idempotencyKey: "a key",
    });
    const { notification, unread, version } = isNew(await store.add(given, EVER));
    const { idempotencyKey: _, ...rest } = given;
    assert.deepEqual(notification, { ...rest, seq: notification.seq, readAt: null });
    assert.equal(unread, 1);
    assert.deepEqual(await page(user), { items: [notification], more: false, unread, version });
  });

  it("a version goes up by one with each change, and stays where nothing changes", async (user, other) => {
    const versions = [(await add(user)).version];
    const second = ids([(await add(user)).notification]);
    versions.push((await state(user)).version);
    versions.push((await store.mark(user, { ids: second }, clock, EVER)).version);
    await add(other);
    versions.push((await store.mark(user, { ids: second }, clock, EVER)).version);
    versions.push((await store.mark(user, { upTo: 1e9 }, clock, EVER)).version);
    versions.push((await store.mark(user, { upTo: 1e9 }, clock, EVER)).version, (await state(user)).version);
    assert.deepEqual(
      versions.map((version) => version - nth(versions, 0)),
      [0, 1, 2, 2, 3, 3, 3],
    );
  });

  it("of one idempotency key one is kept, also of many that come at once", async (user, other) => {
    const kept = await Promise.all(
      Array.from({ length: 20 }, async (_, i) => store.add(one(user, { title: `${i}`, idempotencyKey: "k" }), EVER)),
    );
    assert.equal(kept.filter((each) => each.isNew).length, 1);
    assert.equal(new Set(kept.map(({ notification }) => notification.id)).size, 1);
    const before = await state(user);
    const again = await store.add(one(user, { idempotencyKey: "k" }), EVER);
    assert.deepEqual([again.isNew, again.notification], [false, nth(kept, 0).notification]);
    assert.deepEqual(await state(user), before);
    await add(user, { idempotencyKey: "another" });
    await add(other, { idempotencyKey: "k" });
    assert.equal((await state(user)).unread, 2);
  });

  it("of a key whose notification is too old another one is kept", async (user) => {
    const { notification } = await add(user, { idempotencyKey: "k" });
    const again = isNew(await store.add(one(user, { idempotencyKey: "k" }), notification.createdAt));
    const { items, unread, version } = await page(user, 100, undefined, notification.createdAt);
    assert.deepEqual([ids(items), unread, version], [[again.notification.id], 1, again.version]);
    assert.equal((await store.add(one(user, { idempotencyKey: "k" }), notification.createdAt)).isNew, false);
  });

  it("those that were read are not unread any more, and say when", async (user) => {
    const added = ids(await addAll(user, 3));
    const [first, third] = [nth(added, 0), nth(added, 2)];
    const marked = await store.mark(user, { ids: [first, third, first] }, 77, EVER);
    assert.deepEqual([marked.changed, marked.unread], [2, 1]);
    const { items, unread, version } = await page(user);
    assert.deepEqual([unread, version], [marked.unread, marked.version]);
    assert.deepEqual(
      items.map(({ readAt }) => readAt),
      [77, null, 77],
    );
  });

  it("marking again, unknown ids, no ids and another user's change nothing", async (user, other) => {
    const mine = ids(await addAll(user, 2)).slice(0, 1);
    const theirs = ids(await addAll(other, 1));
    await store.mark(user, { ids: mine }, clock, EVER);
    const before = await page(user);
    for (const some of [mine, ["nobody's", randomUUID()], [], theirs]) {
      const { changed, unread, version } = await store.mark(user, { ids: some }, clock, EVER);
      assert.deepEqual({ changed, unread, version }, { changed: 0, unread: before.unread, version: before.version });
    }
    assert.deepEqual(await page(user), before);
    assert.equal((await state(other)).unread, 1);
  });

  it("marking all leaves what came after the newest that was seen", async (user, other) => {
    const { seq } = nth(await addAll(user, 3), 1);
    await addAll(other, 2);
    const { changed, unread } = await store.mark(user, { upTo: seq }, clock, EVER);
    assert.deepEqual([changed, unread, (await state(other)).unread], [2, 1, 2]);
    assert.equal((await store.mark(user, { upTo: 0 }, clock, EVER)).changed, 0);
  });

  it("pages go on by key: 25 of them, one that comes in between doubles and skips none", async (user) => {
    const added = (await addAll(user, 25)).toReversed();
    const found: Notification[] = [];
    let before: number | undefined;
    for (let turn = 0; ; turn++) {
      const { items, more, unread } = await page(user, 10, before);
      assert.ok(items.length <= 10);
      assert.equal(unread, turn === 0 ? 25 : 26);
      found.push(...items);
      if (!more) break;
      before = nth(items, items.length - 1).seq;
      if (turn === 0) await add(user);
    }
    assert.deepEqual(ids(found), ids(added));
  });

  it("a page that is full to the last says that there is no more", async (user) => {
    const added = await addAll(user, 5);
    assert.deepEqual([(await page(user, 5)).more, (await page(user, 4)).more], [false, true]);
    assert.deepEqual((await page(user, 5, nth(added, 0).seq)).items, []);
  });

  it("what is too old is in no page and no count, and can't be marked", async (user) => {
    const added = await addAll(user, 3);
    const { id: old, createdAt: since } = nth(added, 1);
    const { items, unread, more } = await page(user, 2, undefined, since);
    assert.deepEqual([ids(items), unread, more], [[nth(added, 2).id], 1, false]);
    assert.equal((await store.mark(user, { ids: [old] }, clock, since)).changed, 0);
    assert.equal((await store.mark(user, { upTo: 1e15 }, clock, since)).changed, 1);
    assert.equal(isNew(await store.add(one(user), since)).unread, 1);
  });

  it("pruning removes what is too old, and tells of whom, once, with a version of its own", async (user, other) => {
    await prunedOf(LONG_AGO);
    const added = await addAll(user, 3);
    const { createdAt: since } = nth(added, 1);
    await store.mark(user, { ids: [nth(added, 0).id] }, clock, EVER);
    await add(other);
    const { version } = await state(user);
    const pruned = await prunedOf(since);
    assert.deepEqual(
      pruned.map((each) => each.user),
      [user],
    );
    const told = nth(pruned, 0);
    assert.ok(told.version > version);
    assert.deepEqual(await state(user), { unread: told.unread, version: told.version });
    assert.equal(told.unread, 1);
    assert.equal((await page(user)).items.length, 1);
    assert.deepEqual(await prunedOf(since), []);
  });

  it("pruning takes at most so many users at once, and none is left out", async (user) => {
    await prunedOf(LONG_AGO);
    const users = Array.from({ length: 5 }, (_, i) => `${user} ${i}`);
    for (const each of users) await addAll(each, 2);
    const first = await store.prune(clock, 3);
    const rest = await store.prune(clock, 3);
    assert.deepEqual([first.length, rest.length], [3, 2]);
    assert.deepEqual([...first, ...rest].map((each) => each.user).sort(), users);
  });

  it("a version never comes again, though everything of the user was pruned", async (user) => {
    const last = nth(await addAll(user, 2), 1);
    const pruned = nth(await prunedOf(last.createdAt), 0);
    assert.deepEqual(await state(user), { unread: 0, version: pruned.version });
    const { version, notification } = await add(user);
    assert.ok(version > pruned.version);
    assert.ok(notification.seq > last.seq);
  });

  it("many changes at once leave a count that equals the rows, and no version is told twice", async (user) => {
    const added = await addAll(user, 10);
    const changes = await Promise.all(
      Array.from({ length: 60 }, async (_, i) => {
        if (i % 3 === 0) return isNew(await store.add(one(user), EVER));
        const { id, seq } = nth(added, i % 10);
        return store.mark(user, i % 3 === 1 ? { ids: [id] } : { upTo: seq }, clock, EVER);
      }),
    );
    const told = changes.filter((change) => !("changed" in change) || change.changed > 0).map(({ version }) => version);
    assert.equal(new Set(told).size, told.length);
    const { items, unread, version } = await page(user);
    assert.equal(unread, items.filter(({ readAt }) => readAt === null).length);
    assert.equal(version, Math.max(...told));
    for (const change of changes) if (change.version === version) assert.equal(change.unread, unread);
  });

  async function prunedOf(since: number) {
    const all = [];
    for (;;) {
      const some = await store.prune(since, 100);
      all.push(...some);
      if (some.length < 100) return all;
    }
  }

  return cases;
}
