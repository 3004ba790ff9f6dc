import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { LoggedEntry, Position, TopicHistory, TopicLog } from "../push/topic-log.js";
import type { ContractCase } from "./contract.js";

const says = (text: string): Pick<LoggedEntry, "renditions" | "except"> => ({
  renditions: [[null, "said", [text]]],
  except: [],
});
const texts = (entries: readonly LoggedEntry[]): unknown[] => entries.map(({ renditions }) => renditions[0]?.[2][0]);

/** What a {@link TopicLog} promises, as cases for `contract`. */
export function topicLogContract(log: TopicLog): ContractCase[] {
  const cases: ContractCase[] = [];
  const it = (name: string, run: (log: TopicLog) => Promise<void>): void => {
    cases.push({
      name,
      run: async () => {
        turn++;
        await run(log);
      },
    });
  };
  // A log may be used by several cases, so each has topics of its own.
  const run = randomUUID();
  let turn = 0;
  const topic = (name: string, keep = 100, maxAgeMs = 60_000): TopicHistory => ({
    topic: `${run} ${turn} ${name}`,
    keep,
    maxAgeMs,
  });

  /** All after a place that the log can tell of. */
  const sinceOf = async (at: Position): Promise<readonly LoggedEntry[]> => {
    const entries = await log.since(at);
    assert.ok(entries);
    return entries;
  };

  it("a log has an epoch and a count, and asking changes neither", async (log) => {
    const [epoch, n] = await log.head();
    assert.ok(Number.isSafeInteger(n) && n >= 0);
    assert.ok(epoch.length > 0);
    assert.deepEqual(await log.head(), [epoch, n]);
  });

  it("entries are numbered without a hole, whichever topics they go to", async (log) => {
    const [epoch, n] = await log.head();
    const entries = [];
    for (const name of ["a", "b", "a"]) entries.push(await log.append([topic(name)], says(name)));
    assert.deepEqual(
      entries.map((entry) => [entry.epoch, entry.n]),
      [
        [epoch, n + 1],
        [epoch, n + 2],
        [epoch, n + 3],
      ],
    );
    assert.deepEqual(await log.head(), [epoch, n + 3]);
  });

  it("appends that are made at once keep the order in which they were made", async (log) => {
    const at = await log.head();
    const all = await Promise.all(
      Array.from({ length: 50 }, async (_, i) => {
        const entry = await log.append([topic("a")], says(String(i)));
        return entry;
      }),
    );
    assert.deepEqual(
      all.map(({ n }) => n - at[1]),
      Array.from({ length: 50 }, (_, i) => i + 1),
    );
    assert.deepEqual(
      texts(await sinceOf(at)),
      Array.from({ length: 50 }, (_, i) => String(i)),
    );
  });

  it("an entry comes back as it was given: topics, renditions, and who is left out", async (log) => {
    const at = await log.head();
    const entry = {
      renditions: [
        ["admin", "changed", [{ id: 1, secret: "ü ☃ 😀", list: [1, null, true] }, "two"]],
        ["user", "changed", [{ id: 1 }]],
      ] as LoggedEntry["renditions"],
      except: ["ingress:u:ann"],
    };
    const topics = [topic("post"), topic("all")];
    const appended = await log.append(topics, entry);
    assert.deepEqual(appended, { epoch: at[0], n: at[1] + 1, topics: topics.map((one) => one.topic), ...entry });
    assert.deepEqual(await log.since(at), [appended]);
    assert.deepEqual((await log.after(topics, at)).entries, [appended]);
  });

  it("what is changed after it was appended is not changed in the log", async (log) => {
    const at = await log.head();
    const data = { text: "before" };
    await log.append([topic("a")], { renditions: [[null, "said", [data]]], except: [] });
    data.text = "after";
    const [entry] = await sinceOf(at);
    assert.deepEqual(entry?.renditions[0]?.[2], [{ text: "before" }]);
  });

  it("after a position a topic has its own entries only, each once, in order", async (log) => {
    await log.append([topic("a")], says("1"));
    const at = await log.head();
    await log.append([topic("b")], says("2"));
    await log.append([topic("a"), topic("b")], says("3"));
    await log.append([topic("a")], says("4"));
    const { head, gaps, entries } = await log.after([topic("a")], at);
    assert.deepEqual([gaps, texts(entries)], [[], ["3", "4"]]);
    assert.deepEqual(head, await log.head());
    assert.deepEqual(texts((await log.after([topic("a"), topic("b")], at)).entries), ["2", "3", "4"]);
  });

  it("a topic that nothing was ever pushed to has no gap", async (log) => {
    const at = await log.head();
    await log.append([topic("a")], says("1"));
    const { gaps, entries } = await log.after([topic("never")], at);
    assert.deepEqual([gaps, entries], [[], []]);
  });

  it("a topic that keeps ten tells of a gap once an eleventh came, and others do not", async (log) => {
    const at = await log.head();
    for (let i = 1; i <= 10; i++) await log.append([topic("short", 10)], says(String(i)));
    assert.equal((await log.after([topic("short", 10)], at)).entries.length, 10);
    await log.append([topic("short", 10), topic("long")], says("11"));
    const { gaps, entries } = await log.after([topic("short", 10), topic("long")], at);
    assert.deepEqual([gaps, texts(entries)], [[topic("short").topic], ["11"]]);
  });

  it("entries above the number that is kept go one by one", async (log) => {
    const positions: Position[] = [await log.head()];
    for (let i = 1; i <= 30; i++) {
      await log.append([topic("short", 10)], says(String(i)));
      positions.push(await log.head());
    }
    for (const [i, position] of positions.entries()) {
      const { gaps, entries } = await log.after([topic("short", 10)], position);
      assert.deepEqual([gaps.length, entries.length], i < 20 ? [1, 0] : [0, 30 - i], `after entry ${i}`);
    }
  });

  it("a position of another epoch, or from the future, is a gap of all topics", async (log) => {
    await log.append([topic("a")], says("1"));
    const [epoch, n] = await log.head();
    for (const position of [
      [`${epoch}-of-another`, 0],
      [epoch, n + 1],
    ] as const) {
      const { head, gaps, entries } = await log.after([topic("a"), topic("b")], position);
      assert.deepEqual([gaps, entries, head], [[topic("a").topic, topic("b").topic], [], [epoch, n]]);
      assert.equal(await log.since(position), undefined);
    }
  });

  it("a node reads what it missed of all topics, nothing if it missed nothing", async (log) => {
    const at = await log.head();
    await log.append([topic("a")], says("1"));
    await log.append([topic("b")], says("2"));
    assert.deepEqual(texts(await sinceOf(at)), ["1", "2"]);
    assert.deepEqual(await log.since(await log.head()), []);
  });

  it("names of topics may hold anything", async (log) => {
    const at = await log.head();
    const names = ["a|b", "a:b", "{x}", " ", "__proto__", "ü/☃", "l:a"];
    for (const name of names) await log.append([topic(name)], says(name));
    for (const name of names) assert.deepEqual(texts((await log.after([topic(name)], at)).entries), [name]);
  });

  return cases;
}
