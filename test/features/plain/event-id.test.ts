import fc from "fast-check";
import { expect, it } from "vitest";
import { readEventId, writeEventId } from "../../../src/features/plain/event-id.js";
import { EPOCH_MAX } from "../../../src/wire/positions.js";

const text = fc.string({ minLength: 1, maxLength: 40, unit: "grapheme" });

it("what an id says is read again as it was, whatever the log's epoch and Socket.IO's ids are", () => {
  const epoch = text.filter(({ length }) => length <= EPOCH_MAX);
  const position = fc.tuple(epoch, fc.maxSafeNat()).map(([epoch, n]): [string, number] => [epoch, n]);
  const recovery = fc.record({ pid: text, offset: text });
  fc.assert(
    fc.property(fc.option(position, { nil: undefined }), fc.option(recovery, { nil: undefined }), (at, kept) => {
      const id = writeEventId({ position: at, recovery: kept });
      expect(id === undefined).toBe(at === undefined && kept === undefined);
      if (id === undefined) return;
      expect(id).toMatch(/^[\x21-\x7e]+$/); // a header may have it
      expect(readEventId(id)).toEqual({ position: at, recovery: kept });
    }),
  );
});

it("whatever a client says instead is nothing, and never throws", () => {
  fc.assert(
    fc.property(fc.string(), (said) => {
      const read = readEventId(said);
      if (read !== undefined) expect(writeEventId(read)).toBeDefined();
    }),
  );
  for (const said of ["", "7", "-1.e", "1.2/3", "x/y/z", `1.${"e".repeat(2_000)}`, "1.%", "1.e/%/o"])
    expect(readEventId(said), said).toBeUndefined();
});
