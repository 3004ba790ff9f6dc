import { SqliteDialect } from "kysely";
import Database from "libsql";
import { expect, it } from "vitest";
import { kyselyChanges, prismaChanges } from "socket-ingress/changes";
import { followed, type Post } from "../followed.js";
import { kyselySuite } from "./kysely-suite.js";

kyselySuite("SQLite", async () => {
  // It has the API of better-sqlite3, which is what Kysely asks for.
  const database = new Database(":memory:") as never;
  return { dialect: new SqliteDialect({ database }), close: async () => undefined };
});

it("15. Given a model with narrower topics, Then Kysely's plugin asks for `loadOld`, and it is asked when the statement has run.", async () => {
  await using door = await followed((changes) =>
    changes.define<Post>("post", { id: ({ id }) => id, topics: ({ authorId }) => [`author/${authorId}`] }),
  );
  expect(() => kyselyChanges({ post: door.models })).toThrow(/loadOld/);
  kyselyChanges({ post: door.models }, { loadOld: () => undefined });
});

it.each([
  ["kyselyChanges", kyselyChanges],
  ["prismaChanges", prismaChanges],
] as const)("%s of no models is a TypeError, and so is an option that there is not", async (name, source) => {
  await using door = await followed((changes) => changes.define<Post>("post", { id: ({ id }) => id }));
  for (const none of [{}, undefined as never])
    expect(() => source(none)).toThrow(`${name}: expected models by their names, such as { post: posts }, got none`);
  expect(() => source({ post: door.models }, { loadold: () => undefined } as never)).toThrow(
    `${name}: there is no option "loadold"; there are loadOld`,
  );
});
