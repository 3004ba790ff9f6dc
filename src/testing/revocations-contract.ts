import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { Revocations } from "../features/auth/revocations.js";
import type { ContractCase } from "./contract.js";

/** What {@link Revocations} promise, as cases for `contract`. */
export function revocationsContract(store: Revocations): ContractCase[] {
  const cases: ContractCase[] = [];
  // A store may be used by several cases, so each has users of its own.
  const it = (name: string, run: (user: string, other: string, now: number) => Promise<void>): void => {
    cases.push({ name, run: async () => run(randomUUID(), randomUUID(), Date.now()) });
  };

  it("nobody is revoked whom nobody has revoked", async (user, session) => {
    assert.equal(await store.revokedUntil({ user, session }), undefined);
    assert.equal(await store.revokedUntil({ user, session: undefined }), undefined);
  });

  it("a user is revoked until the time that was said, whatever the session", async (user, session, now) => {
    await store.revoke({ user }, now);
    assert.equal(await store.revokedUntil({ user, session }), now);
    assert.equal(await store.revokedUntil({ user, session: undefined }), now);
  });

  it("a session is revoked, and no other of its user", async (user, session, now) => {
    await store.revoke({ session }, now);
    assert.equal(await store.revokedUntil({ user, session }), now);
    assert.equal(await store.revokedUntil({ user, session: `${session}2` }), undefined);
    assert.equal(await store.revokedUntil({ user, session: undefined }), undefined);
  });

  it("a user who is called as a session is another", async (name, other, now) => {
    await store.revoke({ user: name }, now);
    assert.equal(await store.revokedUntil({ user: other, session: name }), undefined);
  });

  it("of a user and a session the later counts", async (user, session, now) => {
    await store.revoke({ user }, now);
    await store.revoke({ session }, now + 5);
    assert.equal(await store.revokedUntil({ user, session }), now + 5);
    await store.revoke({ user }, now + 9);
    assert.equal(await store.revokedUntil({ user, session }), now + 9);
  });

  it("an earlier time takes nothing back", async (user, _other, now) => {
    await store.revoke({ user }, now);
    await store.revoke({ user }, now - 60_000);
    assert.equal(await store.revokedUntil({ user, session: undefined }), now);
  });

  it("a name may hold anything", async (user, other, now) => {
    const name = `${user}: \u2603 \u{1f600} * ? [a] {b} "c" \\ __proto__`;
    await store.revoke({ user: name }, now);
    assert.equal(await store.revokedUntil({ user: name, session: undefined }), now);
    assert.equal(await store.revokedUntil({ user: other, session: name }), undefined);
  });

  return cases;
}
