import { expect, it } from "vitest";
import { holdsBinary, undecodable, unsendable } from "../../src/wire/sendable.js";

const circle: Record<string, unknown> = {};
circle["self"] = circle;
let deep: unknown = 1;
for (let depth = 0; depth < 5_000; depth++) deep = [deep];
const revoked = Proxy.revocable({}, {});
revoked.revoke();

it.each<[string, unknown]>([
  ["a circle", circle],
  ["a BigInt", { n: 1n }],
  ["a BigInt in a list", [[1n]]],
  ["data 5,000 deep", deep],
  [
    "a getter that throws",
    {
      get no() {
        throw new Error("no");
      },
    },
  ],
  [
    "a toJSON that throws",
    {
      toJSON() {
        throw new Error("no");
      },
    },
  ],
  [
    "a toJSON without end",
    {
      toJSON() {
        return { again: this };
      },
    },
  ],
  ["a revoked proxy", revoked.proxy],
])("%s can't be sent", (_name, value) => {
  expect(unsendable(value)).toBeTypeOf("string");
});

it.each<[string, unknown]>([
  ["nothing", undefined],
  ["null", null],
  ["a date", new Date(0)],
  ["binary data", { chunk: Buffer.from("abc"), list: [new Uint8Array(3), new ArrayBuffer(2)] }],
  ["an object twice, but in no circle", [circle["none"], { a: [1] }, { a: [1] }]],
  ["an object without a prototype", Object.assign(Object.create(null), { a: 1 })],
])("%s can be sent", (_name, value) => {
  expect(unsendable(value)).toBeUndefined();
});

const file = Buffer.from("a file");

it.each<[string, unknown]>([
  ["a Blob", { list: [new Blob(["x"])] }],
  ["eleven attachments", Array.from({ length: 11 }, () => new ArrayBuffer(1))],
  ["a placeholder beside binary data", { file, note: { toJSON: () => ({ _placeholder: true, num: 0 }) } }],
  ["what can't be encoded either", { file, n: 1n }],
])("a client does not take %s", (_name, value) => {
  expect(holdsBinary(value)).toBe(true);
  expect(undecodable(value, undefined)).toBeTypeOf("string");
});

it.each<[string, unknown, boolean]>([
  ["ten attachments", Array.from({ length: 10 }, () => file), true],
  ["a placeholder in plain text", { _placeholder: true, num: 7 }, false],
  ["a date", [new Date(0), { at: new Date(0) }], false],
  ["text behind toJSON", { toJSON: () => ({ a: [1] }) }, false],
  ["an object without a prototype", Object.assign(Object.create(null), { a: { b: 1 } }), false],
  ["nothing", undefined, false],
])("a client takes %s", (_name, value, isBinary) => {
  expect(holdsBinary(value)).toBe(isBinary);
  expect(undecodable(value, undefined)).toBeUndefined();
});

it("a parser is asked once about as many attachments, and what it was found to take is bounded", () => {
  let asked = 0;
  class Encoder {
    encode(packet: object): unknown[] {
      asked++;
      return (packet as { data: unknown[] }).data;
    }
  }
  class Decoder {
    add(): void {}
  }
  const parser = { Encoder, Decoder };
  const attachments = (n: number): unknown => Array.from({ length: n }, () => file);
  for (let n = 1; n <= 50; n++) expect(undecodable(attachments(n), parser)).toBeUndefined();
  for (let n = 1; n <= 50; n++) expect(undecodable(attachments(n), parser)).toBeUndefined();
  expect(asked).toBe(50);
  for (let n = 1; n <= 100; n++) undecodable(attachments(n), parser);
  undecodable(attachments(1), parser);
  expect(asked).toBe(101);
});
