import { expect, it } from "vitest";
import { unsendable } from "../../src/push/encodable.js";

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
        return this;
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
