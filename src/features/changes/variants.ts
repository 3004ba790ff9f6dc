import { createHash, randomUUID } from "node:crypto";
import { describeValue } from "../../wire/values.js";
import type { ClusterMessages } from "../realtime/index.js";

/** So many variants may be seen beside those that somebody has named: each costs a push for every change. */
const MOST_SEEN = 100;

/** A variant that nobody has named, but whose member has come. */
interface SeenVariant {
  /** Stands for the time since when this node publishes for it: what a client has from before may lack something. */
  readonly since: string;
  /** Settled when the other nodes publish for it, too. */
  readonly told: Promise<unknown>;
}

/**
 * Which variants there are. Those that `fields` and the option `variants` name are known; others, which only a `serialise` can have
 * something for, are published for once a member of theirs has come to any node, and a client that has records from before asks for them
 * anew (decision 0047).
 */
export class Variants {
  readonly #named = new Set<string>();
  readonly #seen = new Map<string, SeenVariant>();
  readonly #messages: ClusterMessages;
  /** Whether others than those that are named may come. */
  readonly #isOpen: boolean;

  /** @param names - all there are, if somebody has said so */
  constructor(messages: ClusterMessages, names: readonly string[] | undefined) {
    this.#messages = messages;
    this.#isOpen = names === undefined;
    this.name(names ?? []);
    messages.on("variants", (others: readonly string[]) => {
      const mine = [...this.#seen.keys()];
      for (const variant of others) this.#add(variant, Promise.resolve());
      return mine;
    });
  }

  /** All that are known. */
  get all(): string[] {
    return [...this.#named, ...this.#seen.keys()];
  }

  /** Somebody names variants. */
  name(names: Iterable<string>): void {
    for (const variant of names) {
      this.#named.add(variant);
      this.#seen.delete(variant);
    }
  }

  /** Asks the other nodes which they have seen. */
  async ask(): Promise<void> {
    if (this.#isOpen) await this.#tell();
  }

  /**
   * A member of a variant comes: from when this resolves, all nodes publish for it.
   *
   * @throws TypeError if it is no name, and Error if there are too many
   */
  async see(variant: unknown): Promise<string | undefined> {
    if (variant === undefined || variant === null) return undefined;
    if (typeof variant !== "string" || variant === "")
      throw new TypeError(
        `Changes: variant must return a non-empty string or undefined, got ${describeValue(variant)}`,
      );
    if (this.#named.has(variant) || !this.#isOpen) return variant;
    if (!this.#seen.has(variant)) {
      if (this.#seen.size >= MOST_SEEN)
        throw new Error(
          `Changes: ${describeValue(variant)} would be one of more than ${MOST_SEEN} variants, each of which every change is published for; let variant return what many share, such as a role`,
        );
      this.#add(
        variant,
        Promise.resolve().then(() => this.#tell()),
      );
    }
    await this.#seen.get(variant)?.told;
    return variant;
  }

  /** Stands for what a variant is shown, without saying which it is. */
  viewOf(variant: string | undefined): string {
    const name = createHash("sha256")
      .update(JSON.stringify([variant ?? null]))
      .digest("base64url");
    const since = variant === undefined ? undefined : this.#seen.get(variant)?.since;
    return [name.slice(0, 12), ...(since === undefined ? [] : [since])].join(".");
  }

  async #tell(): Promise<void> {
    const { answers } = await this.#messages.ask<readonly string[]>("variants", [...this.#seen.keys()]);
    for (const variant of answers.flat()) this.#add(variant, Promise.resolve());
  }

  #add(variant: string, told: Promise<unknown>): void {
    if (this.#named.has(variant) || this.#seen.has(variant) || this.#seen.size >= MOST_SEEN) return;
    this.#seen.set(variant, { since: randomUUID().slice(0, 8), told });
  }
}
