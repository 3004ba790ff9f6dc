import { stripVTControlCharacters } from "node:util";
import { expect, it } from "vitest";
import { readableLine } from "../../src/lifecycle/readable-line.js";

const rest = (line: string): string => line.replace(/^\d\d:\d\d:\d\d\.\d{3} /, "");

it("a line says its level, its message and its fields, those without a value left out", () => {
  expect(
    rest(readableLine("info", { event: "pay", socketId: undefined, details: { a: 1 }, text: "two words" }, "hello")),
  ).toBe("info  hello  event=pay details={ a: 1 } text='two words'\n");
  expect(rest(readableLine("warn", {}))).toBe("warn  \n");
});

it("an error stands behind it with its stack, indented", () => {
  const [first, second] = readableLine("error", { err: new Error("broken") }, "failed").split("\n");
  expect(rest(first ?? "")).toBe("error failed");
  expect(second).toBe("    Error: broken");
});

it("colours are all that differs where they are wanted, and what clients send can't add any", () => {
  for (const level of ["info", "warn", "error", "fatal"]) {
    const plain = readableLine(level, { event: "\u001B[31mred" }, "hi\u0007");
    const coloured = readableLine(level, { event: "\u001B[31mred" }, "hi\u0007", true);
    expect(coloured).not.toBe(plain);
    expect(rest(stripVTControlCharacters(coloured))).toBe(rest(plain));
    expect(plain).toContain("hi\\x07");
    expect(stripVTControlCharacters(plain)).toBe(plain);
  }
});
