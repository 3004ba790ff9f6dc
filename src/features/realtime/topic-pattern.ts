import { describeValue } from "../../wire/values.js";
/** The parameters a pattern names: `ParamsOf<"room:{id}">` is `{ id: string }`. */
export type ParamsOf<Pattern extends string> = string extends Pattern
  ? Readonly<Record<string, string>>
  : { readonly [Name in ParamNames<Pattern>]: string };

type ParamNames<Pattern extends string> = Pattern extends `${string}{${infer Name}}${infer Rest}`
  ? Name | ParamNames<Rest>
  : never;

const parameter = /^\{([A-Za-z][A-Za-z0-9_]*)\}$/;

const NO_PARAMETERS: Readonly<Record<string, string>> = Object.freeze({});

/**
 * The shape of topics: `room:{id}`, `org/{org}/doc/{doc}`. A topic is cut at `:` and `/`, and a `{parameter}` is one whole part,
 * never empty. Matching takes one pass over the topic, whatever it contains.
 */
export class TopicPattern {
  /** The pattern as it was written. */
  readonly source: string;
  /** Two patterns that match the same topics have the same shape. */
  readonly shape: string;
  readonly #parts: readonly string[];
  readonly #names: readonly (string | undefined)[];
  /** What every topic of this shape begins with: most are told apart by it, without being cut. */
  readonly #start: string;

  /** @throws TypeError if it is empty, or a parameter is no whole part, badly named or named twice */
  constructor(source: string) {
    if (typeof source !== "string" || source === "") {
      throw new TypeError(`topic: expected a pattern such as "room:{id}", got ${describeValue(source)}`);
    }
    this.source = source;
    this.#parts = cut(source);
    this.#names = this.#parts.map((part) => parameter.exec(part)?.[1]);
    const seen = new Set<string>();
    for (const [index, part] of this.#parts.entries()) {
      const name = this.#names[index];
      if (name === undefined) {
        if (/[{}]/.test(part))
          throw new TypeError(
            `topic ${JSON.stringify(source)}: "${part}" must be one whole {parameter} between ":" or "/"`,
          );
      } else if (seen.has(name)) throw new TypeError(`topic ${JSON.stringify(source)}: {${name}} is there twice`);
      else seen.add(name);
    }
    const first = this.#names.findIndex((name) => name !== undefined);
    this.#start = first < 0 ? source : this.#parts.slice(0, first).join("");
    this.shape = this.#parts.map((part, index) => (this.#names[index] === undefined ? part : "{}")).join("");
  }

  /** The parameters when the topic has this shape, else `undefined`. */
  match(topic: string): Readonly<Record<string, string>> | undefined {
    if (this.#start === this.source) return topic === this.source ? NO_PARAMETERS : undefined;
    if (!topic.startsWith(this.#start)) return undefined;
    const parts = cut(topic);
    if (parts.length !== this.#parts.length) return undefined;
    const params: Record<string, string> = {};
    for (const [index, part] of parts.entries()) {
      const name = this.#names[index];
      if (name === undefined) {
        if (part !== this.#parts[index]) return undefined;
      } else if (part === "") return undefined;
      else params[name] = part;
    }
    return params;
  }

  /** The topic as this pattern spells it, when it has this shape in whatever case; its parameters stay as they are. */
  spell(topic: string): string | undefined {
    const parts = cut(topic);
    if (parts.length !== this.#parts.length) return undefined;
    // Whatever differs in more than its case is no part of this shape, and does not match.
    const spelt = this.#parts.map((own, index) => {
      const part = parts[index] as string; // there are as many
      return this.#names[index] === undefined && own.toLowerCase() === part.toLowerCase() ? own : part;
    });
    return this.match(spelt.join("")) === undefined ? undefined : spelt.join("");
  }

  /** Sorts patterns: where two match one topic, the one that says more, further left, comes first. */
  static compare(one: TopicPattern, other: TopicPattern): number {
    const { length } = one.#names;
    // Of different lengths they never match one topic; still they need an order, or sorting would mix up the others.
    if (length !== other.#names.length) return length - other.#names.length;
    for (let index = 0; index < length; index++) {
      const difference = Number(one.#names[index] !== undefined) - Number(other.#names[index] !== undefined);
      if (difference !== 0) return difference;
    }
    return 0;
  }
}

/** "a:b/c" is ["a", ":", "b", "/", "c"]. */
function cut(topic: string): string[] {
  return topic.split(/([:/])/);
}
