import { expect, it } from "vitest";
import { Views } from "../../../src/features/changes/views.js";

it("what a member was shown is remembered for those it is in, whoever forgot to say that it has left", () => {
  const inside = new Set<string>();
  const views = new Views<object>(() => [...inside]);
  const member = {};
  for (let i = 0; i < 100; i++) {
    inside.add(`in ${i}`);
    expect(views.show(member, `in ${i}`, "one")).toBe(false);
  }
  // Joins that were given up just before they were answered.
  for (let i = 0; i < 500; i++) views.show(member, `out ${i}`, "one");
  expect([...inside].every((topic) => views.show(member, topic, "two"))).toBe(true);
  expect([0, 100, 300].map((i) => views.show(member, `out ${i}`, "two"))).toEqual([false, false, false]);
  views.forget(member, "in 1");
  expect(views.show(member, "in 1", "three")).toBe(false);
  // Another one is another.
  expect(views.show({}, "in 2", "three")).toBe(false);
});
