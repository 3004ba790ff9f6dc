import { describeValue } from "../wire/values.js";

/** Which namespaces something is for: one by its name, or all whose name fits a regular expression. */
export interface NamespacePattern {
  /** What `io.of` is given so that clients may connect. */
  readonly source: string | RegExp;
  /** The same for two patterns that mean the same. */
  readonly key: string;
  matches(name: string): boolean;
}

/**
 * Reads the `namespace` option.
 *
 * @throws TypeError unless it is a non-blank string or a regular expression without the `g` and `y` flags (Socket.IO refuses
 * those: they remember where the last test ended)
 */
export function namespacePattern(namespace: string | RegExp, subject: string): NamespacePattern {
  if (typeof namespace === "string" && namespace.trim() !== "") {
    const name = namespace.startsWith("/") ? namespace : `/${namespace}`;
    return { source: name, key: name, matches: (other) => other === name };
  }
  if (namespace instanceof RegExp && !namespace.global && !namespace.sticky) {
    return { source: namespace, key: String(namespace), matches: (other) => namespace.test(other) };
  }
  const given = namespace instanceof RegExp ? String(namespace) : describeValue(namespace);
  throw new TypeError(
    `${subject}: namespace must be a name like "/chat" or a RegExp without the g and y flags, got ${given}`,
  );
}
