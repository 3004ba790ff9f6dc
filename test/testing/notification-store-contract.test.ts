import { expect, it } from "vitest";
import {
  MemoryNotificationStore,
  type NotificationStore,
  type NotificationToKeep,
  type Pruned,
} from "socket-ingress/notifications";
import { contract } from "socket-ingress/testing";

type Add = Parameters<NotificationStore["add"]>;
type Page = Parameters<NotificationStore["page"]>;
type Mark = Parameters<NotificationStore["mark"]>;
type Prune = Parameters<NotificationStore["prune"]>;

/** A store that keeps its promises, for one to be broken. */
class Sound implements NotificationStore {
  readonly inner = new MemoryNotificationStore();

  async add(...args: Add) {
    return this.inner.add(...args);
  }
  async page(...args: Page) {
    return this.inner.page(...args);
  }
  async mark(...args: Mark) {
    return this.inner.mark(...args);
  }
  async prune(...args: Prune) {
    return this.inner.prune(...args);
  }
}

/** The sentences that do not hold of a store. */
async function brokenOf(store: NotificationStore): Promise<string[]> {
  const broken: string[] = [];
  for (const { name, run } of contract(store)) await run().catch(() => broken.push(name));
  return broken;
}

const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it("the contract of a notification store finds nothing in one that keeps it", async () => {
  expect(await brokenOf(new Sound())).toEqual([]);
});

it("the contract of a notification store does not stumble over what a store in use holds", async () => {
  const store = new Sound();
  for (let i = 0; i < 250; i++) {
    const given = { id: `n${i}`, user: `user ${i}`, title: "t", message: "", icon: "", data: null, createdAt: 1 };
    await store.add({ ...given, idempotencyKey: "k" }, -1);
  }
  expect(await brokenOf(store)).toEqual([]);
});

it.each<[fault: string, store: () => NotificationStore, found: string]>([
  [
    "invents notifications for who never had one",
    () =>
      new (class extends Sound {
        override async page(...args: Page) {
          return { ...this.inner.page(...args), more: true };
        }
      })(),
    "whoever never had a notification has an empty page and none unread",
  ],
  [
    "keeps only what is plain ASCII",
    () =>
      new (class extends Sound {
        override async add(given: NotificationToKeep, since: number) {
          return this.inner.add({ ...given, title: given.title.replace(/[^ -~]/g, "?") }, since);
        }
      })(),
    "a notification comes back as it was given, unread, and is counted",
  ],
  [
    "forgets the data",
    () =>
      new (class extends Sound {
        override async add(given: NotificationToKeep, since: number) {
          return this.inner.add({ ...given, data: null }, since);
        }
      })(),
    "a notification comes back as it was given, unread, and is counted",
  ],
  [
    "tells a version of its own for marks that change nothing",
    () =>
      new (class extends Sound {
        override async mark(...args: Mark) {
          const marked = this.inner.mark(...args);
          return marked.changed > 0 ? marked : { ...marked, version: marked.version + 1 };
        }
      })(),
    "a version goes up by one with each change, and stays where nothing changes",
  ],
  [
    "knows no idempotency keys",
    () =>
      new (class extends Sound {
        override async add(given: NotificationToKeep, since: number) {
          return this.inner.add({ ...given, idempotencyKey: undefined }, since);
        }
      })(),
    "of one idempotency key one is kept, also of many that come at once",
  ],
  [
    "looks for the key before it keeps, and not while it does",
    () =>
      new (class extends Sound {
        readonly #keys = new Map<string, NotificationToKeep>();
        override async add({ idempotencyKey, ...given }: NotificationToKeep, since: number) {
          const key = `${given.user} ${idempotencyKey}`;
          const before = idempotencyKey === undefined ? undefined : this.#keys.get(key);
          await pause();
          if (before !== undefined) return { notification: { ...before, seq: 1, readAt: null }, isNew: false as const };
          this.#keys.set(key, { ...given, idempotencyKey });
          return this.inner.add({ ...given, idempotencyKey: undefined }, since);
        }
      })(),
    "of one idempotency key one is kept, also of many that come at once",
  ],
  [
    "has one key for all users",
    () =>
      new (class extends Sound {
        readonly #keys = new Set<string | undefined>([undefined]);
        override async add(given: NotificationToKeep, since: number) {
          const { idempotencyKey } = given;
          const kept = this.inner.add(given, since);
          if (!kept.isNew || idempotencyKey === undefined) return kept;
          const isTaken = this.#keys.has(idempotencyKey);
          this.#keys.add(idempotencyKey);
          return isTaken ? { notification: kept.notification, isNew: false as const } : kept;
        }
      })(),
    "of one idempotency key one is kept, also of many that come at once",
  ],
  [
    "keeps keys for ever",
    () =>
      new (class extends Sound {
        override async add(given: NotificationToKeep, since: number) {
          return this.inner.add(given, given.idempotencyKey === undefined ? since : -1);
        }
      })(),
    "of a key whose notification is too old another one is kept",
  ],
  [
    "does not say when it was read",
    () =>
      new (class extends Sound {
        override async mark(user: string, marks: Mark[1], _at: number, since: number) {
          return this.inner.mark(user, marks, 1, since);
        }
      })(),
    "those that were read are not unread any more, and say when",
  ],
  [
    "counts what was read already as changed",
    () =>
      new (class extends Sound {
        override async mark(...args: Mark) {
          const marked = this.inner.mark(...args);
          return { ...marked, changed: args[1].ids?.length ?? marked.changed };
        }
      })(),
    "marking again, unknown ids, no ids and another user's change nothing",
  ],
  [
    "marks another user's",
    () =>
      new (class extends Sound {
        readonly #owners = new Map<string, string>();
        override async add(given: NotificationToKeep, since: number) {
          this.#owners.set(given.id, given.user);
          return this.inner.add(given, since);
        }
        override async mark(user: string, marks: Mark[1], at: number, since: number) {
          const [id = ""] = marks.ids ?? [];
          return this.inner.mark(this.#owners.get(id) ?? user, marks, at, since);
        }
      })(),
    "marking again, unknown ids, no ids and another user's change nothing",
  ],
  [
    "marks all, whatever was seen",
    () =>
      new (class extends Sound {
        override async mark(user: string, marks: Mark[1], at: number, since: number) {
          return this.inner.mark(user, marks.upTo === undefined ? marks : { upTo: Infinity }, at, since);
        }
      })(),
    "marking all leaves what came after the newest that was seen",
  ],
  [
    "pages by how many were shown",
    () =>
      new (class extends Sound {
        #shown = 0;
        override async page(user: string, { before, limit }: Page[1], since: number) {
          const { items, ...rest } = this.inner.page(user, { before: undefined, limit: 1_000 }, since);
          this.#shown = before === undefined ? 0 : this.#shown + limit;
          const some = items.slice(this.#shown, this.#shown + limit);
          return { ...rest, items: some, more: this.#shown + limit < items.length };
        }
      })(),
    "pages go on by key: 25 of them, one that comes in between doubles and skips none",
  ],
  [
    "says that there is more when a page is full",
    () =>
      new (class extends Sound {
        override async page(user: string, range: Page[1], since: number) {
          const page = this.inner.page(user, range, since);
          return { ...page, more: page.items.length === range.limit };
        }
      })(),
    "a page that is full to the last says that there is no more",
  ],
  [
    "shows what is too old until it is pruned",
    () =>
      new (class extends Sound {
        override async page(user: string, range: Page[1]) {
          return this.inner.page(user, range, -1);
        }
      })(),
    "what is too old is in no page and no count, and can't be marked",
  ],
  [
    "tells of a pruning again and again",
    () =>
      new (class extends Sound {
        readonly #told = new Map<string, Pruned>();
        override async prune(...args: Prune) {
          const pruned = this.inner.prune(...args);
          for (const each of pruned) this.#told.set(each.user, each);
          return [...this.#told.values()].slice(-99);
        }
      })(),
    "pruning removes what is too old, and tells of whom, once, with a version of its own",
  ],
  [
    "prunes under the version that was told",
    () =>
      new (class extends Sound {
        override async prune(...args: Prune) {
          return this.inner.prune(...args).map((each) => ({ ...each, version: each.version - 1 }));
        }
      })(),
    "pruning removes what is too old, and tells of whom, once, with a version of its own",
  ],
  [
    "tells of no pruning",
    () =>
      new (class extends Sound {
        override async prune(...args: Prune) {
          this.inner.prune(...args);
          return [];
        }
      })(),
    "a version never comes again, though everything of the user was pruned",
  ],
  [
    "prunes all users at once",
    () =>
      new (class extends Sound {
        override async prune(since: number) {
          return this.inner.prune(since, Infinity);
        }
      })(),
    "pruning takes at most so many users at once, and none is left out",
  ],
  [
    "counts versions by what is there",
    () =>
      new (class extends Sound {
        override async add(given: NotificationToKeep, since: number) {
          const kept = this.inner.add(given, since);
          const { items } = this.inner.page(given.user, { before: undefined, limit: 1_000 }, since);
          return kept.isNew ? { ...kept, version: items.length } : kept;
        }
      })(),
    "a version never comes again, though everything of the user was pruned",
  ],
  [
    "reckons the count from an earlier one",
    () =>
      new (class extends Sound {
        override async add(given: NotificationToKeep, since: number) {
          const { unread, version } = this.inner.page(given.user, { before: undefined, limit: 1 }, since);
          await pause();
          const kept = this.inner.add(given, since);
          return kept.isNew ? { ...kept, unread: unread + 1, version: version + 1 } : kept;
        }
      })(),
    "many changes at once leave a count that equals the rows, and no version is told twice",
  ],
])("the contract of a notification store finds one that %s", async (_fault, store, found) => {
  expect(await brokenOf(store())).toContain(found);
});
