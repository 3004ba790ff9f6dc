import { describe, expect, it } from "vitest";
import { Topics } from "socket-ingress/realtime";
import { TopicPattern } from "../../../src/features/realtime/topic-pattern.js";

const allow = { join: () => true };

describe("a topic pattern", () => {
  it.each<[string, string, unknown]>([
    ["room:{id}", "room:42", { id: "42" }],
    ["org/{org}/doc/{doc}", "org/a/doc/b", { org: "a", doc: "b" }],
    ["{kind}:{id}", "room:42", { kind: "room", id: "42" }],
    ["lobby", "lobby", {}],
    ["room:{id}", "room:constructor", { id: "constructor" }],
  ])("%s matches %s", (pattern, topic, params) => {
    expect(new TopicPattern(pattern).match(topic)).toEqual(params);
  });

  it.each([
    ["room:{id}", "room:"],
    ["room:{id}", "room"],
    ["room:{id}", "room:a:b"],
    ["room:{id}", "room:a/b"],
    ["room:{id}", "room/42"],
    ["room:{id}", "Room:42"],
    ["room:{id}", " room:42"],
    ["room:{id}", "xroom:42"],
    ["lobby", "lobby "],
  ])("%s does not match %j", (pattern, topic) => {
    expect(new TopicPattern(pattern).match(topic)).toBeUndefined();
  });

  it.each([[""], ["room:{id"], ["room:x{id}"], ["room:{}"], ["{a}{b}"], ["{id}:{id}"], ["{__proto__}"], ["{1}"]])(
    "%j is refused",
    (pattern) => {
      expect(() => new TopicPattern(pattern)).toThrow(TypeError);
    },
  );

  it("takes one pass over a hostile topic", () => {
    const topic = ":/".repeat(500_000);
    expect(new TopicPattern("{a}:{b}/{c}:{d}").match(topic)).toBeUndefined();
  });
});

describe("topics", () => {
  it("that fit two patterns belong to the one with a literal further left, in whatever order they were defined", () => {
    for (const patterns of [
      ["room:{id}", "room:lobby", "{kind}:lobby"] as const,
      ["{kind}:lobby", "room:lobby", "room:{id}"] as const,
    ]) {
      const topics = new Topics();
      for (const pattern of patterns) topics.define(pattern, { snapshot: () => pattern, public: true });
      const shape = (topic: string): unknown =>
        topics.match(topic)?.definition.snapshot?.(undefined as never, {}, topic);
      expect(shape("room:lobby")).toBe("room:lobby");
      expect(shape("room:1")).toBe("room:{id}");
      expect(shape("hall:lobby")).toBe("{kind}:lobby");
      expect(shape("hall:1")).toBeUndefined();
    }
  });

  it("need somebody who says who may join", () => {
    const topics = new Topics();
    expect(() => topics.define("a", {})).toThrow(/say who may join/);
    expect(() => topics.define("a", { public: false })).toThrow(/say who may join/);
    expect(() => topics.define("a", { public: true, join: () => true })).toThrow(/no `join`/);
    expect(() => topics.define("a", { join: "yes" as never })).toThrow(/must be a function/);
    expect(() => topics.define("a", undefined as never)).toThrow(TypeError);
    expect(topics.match("a")).toBeUndefined();
  });

  it("are defined once, until the definition is taken back", () => {
    const topics = new Topics();
    const off = topics.define("room:{id}", allow);
    expect(() => topics.define("room:{name}", allow)).toThrow(/defined already/);
    off();
    off();
    expect(topics.match("room:1")).toBeUndefined();
    topics.define("room:{name}", allow);
  });
});
