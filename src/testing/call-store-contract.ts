import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { CallKey, CallStore, Claim } from "../features/realtime/calls/call-store.js";
import type { ContractCase } from "./contract.js";

const times = { windowMs: 60_000, leaseMs: 30_000 };

function tokenOf(claim: Claim): string {
  assert.equal(claim.kind, "run");
  return (claim as { token: string }).token;
}

/** What a {@link CallStore} promises, as cases for `contract`. */
export function callStoreContract(store: CallStore): ContractCase[] {
  const cases: ContractCase[] = [];
  // A store may be used by several cases, so each has identities of its own.
  const it = (name: string, run: (key: CallKey, other: CallKey) => Promise<void>): void => {
    const key = (): CallKey => ({ identity: `user:${randomUUID()}`, requestId: "r:1" });
    cases.push({ name, run: async () => run(key(), key()) });
  };

  it("of many that ask at once one is told to run, and the others that it runs", async (key) => {
    const claims = await Promise.all(Array.from({ length: 20 }, async () => store.claim(key, "d", times)));
    assert.equal(claims.filter(({ kind }) => kind === "run").length, 1);
    assert.equal(claims.filter(({ kind }) => kind === "running").length, 19);
  });

  it("an answer is given to whoever asks again, as it was", async (key) => {
    const token = tokenOf(await store.claim(key, "d", times));
    const answer = JSON.stringify({ text: 'ü ☃ 😀 \\ " ]', list: [1, null] });
    await store.answer(key, token, answer, times);
    for (let i = 0; i < 2; i++) assert.deepEqual(await store.claim(key, "d", times), { kind: "answered", answer });
  });

  it("the same id for something else is told, whether it runs or is done", async (key) => {
    const token = tokenOf(await store.claim(key, "d", times));
    assert.deepEqual(await store.claim(key, "another", times), { kind: "other" });
    await store.answer(key, token, "1", times);
    assert.deepEqual(await store.claim(key, "another", times), { kind: "other" });
  });

  it("the same id of another identity is another request", async (key, other) => {
    tokenOf(await store.claim(key, "d", times));
    tokenOf(await store.claim(other, "d", times));
  });

  it("an answer that can't be kept is known to have been given, and never run again", async (key) => {
    const token = tokenOf(await store.claim(key, "d", times));
    await store.answer(key, token, undefined, times);
    assert.deepEqual(await store.claim(key, "d", times), { kind: "unkept" });
  });

  it("what was forgotten may run again", async (key) => {
    const token = tokenOf(await store.claim(key, "d", times));
    await store.forget(key, token);
    assert.notEqual(tokenOf(await store.claim(key, "another", times)), token);
  });

  it("a lease that ended is a death, and the request is never run again", async (key) => {
    const token = tokenOf(await store.claim(key, "d", { windowMs: 60_000, leaseMs: 1 }));
    let claim = await store.claim(key, "d", times);
    while (claim.kind === "running") claim = await store.claim(key, "d", times);
    assert.deepEqual(claim, { kind: "died" });
    assert.deepEqual(await store.claim(key, "d", times), { kind: "died" });
    void token;
  });

  it("a lease that is renewed goes on", async (key) => {
    const token = tokenOf(await store.claim(key, "d", { windowMs: 60_000, leaseMs: 1_000 }));
    assert.equal(await store.renew(key, token, times), true);
    assert.deepEqual(await store.claim(key, "d", times), { kind: "running" });
    assert.equal(await store.renew(key, "another token", times), false);
    await store.answer(key, token, "1", times);
    assert.equal(await store.renew(key, token, times), false);
  });

  it("whoever holds no claim can't answer, forget or renew", async (key) => {
    tokenOf(await store.claim(key, "d", times));
    await store.answer(key, "another token", "1", times);
    await store.forget(key, "another token");
    assert.deepEqual(await store.claim(key, "d", times), { kind: "running" });
  });

  it("an answer is forgotten after its window", async (key) => {
    const short = { windowMs: 1, leaseMs: 30_000 };
    await store.answer(key, tokenOf(await store.claim(key, "d", short)), "1", short);
    let claim = await store.claim(key, "d", times);
    while (claim.kind === "answered") claim = await store.claim(key, "d", times);
    tokenOf(claim);
  });

  it("requests are carried over to who has said who they are, running ones included", async (key, other) => {
    await store.answer(key, tokenOf(await store.claim(key, "d", times)), "1", times);
    const second = { ...key, requestId: "r:2" };
    const token = tokenOf(await store.claim(second, "d", times));
    await store.carry(key.identity, other.identity);
    assert.deepEqual(await store.claim({ ...other, requestId: "r:1" }, "d", times), { kind: "answered", answer: "1" });
    await store.answer({ ...other, requestId: "r:2" }, token, "2", times);
    assert.deepEqual(await store.claim({ ...other, requestId: "r:2" }, "d", times), { kind: "answered", answer: "2" });
    tokenOf(await store.claim(key, "d", times));
  });

  it("an answer of half a megabyte is not kept, or kept whole", async (key) => {
    const answer = JSON.stringify("x".repeat(500_000));
    await store.answer(key, tokenOf(await store.claim(key, "d", times)), answer, times);
    const claim = await store.claim(key, "d", times);
    assert.ok(claim.kind === "unkept" || (claim.kind === "answered" && claim.answer === answer));
  });

  return cases;
}
