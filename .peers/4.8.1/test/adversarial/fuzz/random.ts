import { replies, thrown } from "../faults.js";

/** Random values from a seed: the same seed, the same run. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 up to, not including, 1. (mulberry32) */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** An integer from 0 up to, not including, `below`. */
  int(below: number): number {
    return Math.floor(this.next() * below);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.int(from.length)]!;
  }

  text(maxLength = 12): string {
    let text = "";
    for (let length = this.int(maxLength + 1); length > 0; length--) {
      text += this.chance(0.8) ? String.fromCharCode(32 + this.int(95)) : String.fromCharCode(this.int(65_536));
    }
    return text;
  }

  number(): number {
    return this.pick([
      0,
      -0,
      1,
      -1,
      this.int(1_000),
      this.next(),
      -this.next() * 1e9,
      2 ** 53,
      1e308,
      5e-324,
      Number.NaN,
      Infinity,
    ]);
  }

  /** What JSON can say, and only that. */
  json(depth = 3): unknown {
    switch (this.int(depth > 0 ? 8 : 6)) {
      case 0:
        return null;
      case 1:
        return this.chance(0.5);
      case 2:
        return this.int(100_000) - 50_000;
      case 3:
        return this.next();
      case 4:
        return this.text();
      case 5:
        return "";
      case 6:
        return Array.from({ length: this.int(5) }, () => this.json(depth - 1));
      default: {
        // Assigning `__proto__` would change the prototype instead of making a key.
        const entries = Array.from({ length: this.int(5) }, () => [this.key(), this.json(depth - 1)] as const);
        return Object.fromEntries(entries);
      }
    }
  }

  key(): string {
    return this.chance(0.7) ? this.text(6) : this.pick(treacherous);
  }

  /** Anything a program can pass around, encodable or not. */
  anything(): unknown {
    if (this.chance(0.5)) return this.json();
    if (this.chance(0.1)) return this.pick(encodableNot).make();
    return this.pick<() => unknown>([
      () => undefined,
      () => this.number(),
      () => BigInt(this.int(1_000)),
      () => Symbol(this.text()),
      () => () => this.anything(),
      () => new Date(this.number()),
      () => Buffer.from(this.text()),
      () => new Uint8Array(this.int(10)),
      () => new Map([[this.text(), this.json(1)]]),
      () => new Set([this.json(1)]),
      () => /x/,
      () => new Error(this.text()),
      () => Object.create(null),
      () => Object.freeze({ a: this.json(1) }),
      () => [, this.json(1), ,],
      () => new WeakMap(),
    ])();
  }

  /** Anything a program can throw. Whoever finds a piece of it on the other side has found a leak. */
  thrown(): unknown {
    return this.chance(0.8) ? this.pick(throwable).make() : this.anything();
  }

  /** The name of an event: one of those given, or one that only looks harmless. */
  name(known: readonly string[]): string {
    if (this.chance(0.75)) return this.pick(known);
    if (this.chance(0.5)) return this.pick(treacherous);
    return this.text(20);
  }
}

// What rejects by itself in nobody's hands, or costs milliseconds, would only slow a million rounds down; the scenarios have it.
const slow = new Set(["rejected", "long", "deeper-array", "deep-object", "endless", "deep-array"]);
const throwable = thrown.filter(({ id }) => !slow.has(id));
const encodableNot = replies.filter(({ id }) => !slow.has(id) && id !== "error");

/** Names that mean something to JavaScript, to Node or to Socket.IO. */
export const treacherous: readonly string[] = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "valueOf",
  "hasOwnProperty",
  "then",
  "toJSON",
  "length",
  "name",
  "error",
  "connect",
  "connection",
  "connect_error",
  "disconnect",
  "disconnecting",
  "newListener",
  "removeListener",
  "message",
  "*",
  "",
  " ",
  "0",
  "null",
  "undefined",
];
