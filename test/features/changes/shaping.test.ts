import { describe, expect, it } from "vitest";
import { keptAsIs, merged, toOne } from "../../../src/features/changes/happening.js";
import { differences, shaped } from "../../../src/features/changes/shaping.js";

const fields = new Map<string, "*" | readonly string[]>([
  ["admin", "*"],
  ["user", ["id", "toString", "title"]],
]);

describe("what is shown of a record", () => {
  it("are the fields of the variant that there are, and nothing of what is no record", () => {
    const shape = { name: "post", fields, serialise: undefined };
    const row = { id: 1, title: undefined, email: "a@b", __proto__: { inherited: true } };
    expect(shaped(shape, row, "admin")).toBe(row);
    expect(shaped(shape, Object.assign(Object.create(null) as object, { id: 1, email: "a@b" }), "user")).toEqual({
      id: 1,
    });
    for (const variant of ["guest", "toString", "__proto__", "constructor"])
      expect(shaped(shape, row, variant)).toBeUndefined();
    for (const none of [5, "text", true]) expect(shaped(shape, none, "user")).toBeUndefined();
    for (const none of [null, undefined]) expect(shaped(shape, none, "admin")).toBeUndefined();
    expect(shaped({ ...shape, fields: undefined }, row, undefined)).toBe(row);
    expect(shaped({ ...shape, fields: undefined }, row, "user")).toBeUndefined();
  });

  it("is what serialise makes of it, less what the fields leave out", () => {
    const serialise = (row: { id: number }, variant: string | undefined): object => ({
      ...row,
      title: variant,
      secret: 1,
    });
    const shape = { name: "post", fields, serialise };
    expect(shaped(shape, { id: 1 }, "user")).toEqual({ id: 1, title: "user" });
    expect(shaped(shape, { id: 1 }, "guest")).toEqual({ id: 1, title: "guest", secret: 1 });
    expect(shaped({ ...shape, serialise: () => null }, { id: 1 }, "admin")).toBeUndefined();
  });
});

describe("what is different", () => {
  it("is compared as JSON, field by field", () => {
    const day = new Date(0);
    expect(differences({ a: 1, tags: ["x"], at: day }, { a: 1, tags: ["x"], at: new Date(0) })).toEqual({});
    expect(differences({ a: 1, gone: 2 }, { a: Number.NaN, come: { b: 1 } })).toEqual({
      a: [1, Number.NaN],
      gone: [2, undefined],
      come: [undefined, { b: 1 }],
    });
    expect(differences(5, null)).toEqual({});
    const hostile = JSON.parse('{ "__proto__": { "a": 1 } }') as object;
    expect(Object.keys(differences(hostile, {}))).toEqual(["__proto__"]);
  });
});

describe("what is held back", () => {
  it("is a copy of records that are plain, and the record itself of a class of one's own, or what can't be copied", () => {
    class Row {
      id = 1;
    }
    const [own, plain, odd] = [new Row(), { id: 2, tags: ["a"] }, { id: 3, run: () => 1 }];
    const copies = [own, plain, odd].map(
      (row) => keptAsIs(toOne({ method: "POST", id: 1, row, old: undefined })).each[0]?.row,
    );
    expect(copies[0]).toBe(own);
    expect(copies[1]).toEqual(plain);
    expect(copies[1]).not.toBe(plain);
    expect(copies[2]).toBe(odd);
    const bare = Object.assign(Object.create(null) as object, { id: 4 });
    expect(keptAsIs(toOne({ method: "POST", id: 4, row: bare, old: null })).each[0]?.row).toEqual({ id: 4 });
  });

  it("comes to what it was from the first to the last", () => {
    const at = (method: "POST" | "PUT" | "PATCH" | "DELETE", row: unknown, old: unknown) => ({
      method,
      id: 1,
      row,
      old,
    });
    expect(merged(at("POST", "a", undefined), at("PATCH", "b", "a"))).toEqual(at("POST", "b", undefined));
    expect(merged(at("POST", "a", undefined), at("POST", "b", undefined))).toEqual(at("POST", "b", undefined));
    expect(merged(at("POST", "a", undefined), at("DELETE", undefined, "a"))).toBeUndefined();
    expect(merged(at("PATCH", "b", "a"), at("PUT", "c", "b"))).toEqual(at("PUT", "c", "a"));
    expect(merged(at("PATCH", "b", undefined), at("DELETE", undefined, "b"))).toEqual(at("DELETE", undefined, "b"));
    expect(merged(at("PATCH", "b", undefined), at("PATCH", "c", "b"))).toEqual(at("PATCH", "c", undefined));
    expect(merged(at("PATCH", "b", "a"), at("DELETE", undefined, "b"))).toEqual(at("DELETE", undefined, "a"));
    expect(merged(at("DELETE", undefined, "a"), at("POST", "b", undefined))).toEqual(at("PATCH", "b", "a"));
    expect(merged(at("DELETE", undefined, "a"), at("DELETE", undefined, "a"))).toEqual(at("DELETE", undefined, "a"));
  });
});
