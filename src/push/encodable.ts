/** Deeper data is refused: Socket.IO looks for binary parts by recursion (`hasBinary`), and a stack is finite. */
const DEPTH_MAX = 500;

/**
 * Why a value can't be sent, or `undefined` when it can. Looked at beforehand because a cluster adapter encodes inside a promise
 * nobody holds: what throws there is an unhandled rejection, and ends the process. Total: it never throws.
 */
export function unsendable(value: unknown): string | undefined {
  return total(() => look(value, 0, "binary"));
}

/** Why a log of topics can't hold a value, or `undefined` when it can: the same, and it must be JSON, without binary data. Never throws. */
export function unloggable(value: unknown): string | undefined {
  return total(() => look(value, 0, "json"));
}

function total(read: () => string | undefined): string | undefined {
  try {
    return read();
  } catch {
    return "reading it throws";
  }
}

function look(value: unknown, depth: number, form: "binary" | "json"): string | undefined {
  if (typeof value === "bigint" || Object.prototype.toString.call(value) === "[object BigInt]")
    return "it holds a BigInt";
  if (typeof value === "symbol") return "it holds a symbol";
  if (typeof value !== "object" || value === null) return undefined;
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value) || value instanceof Blob)
    return form === "binary" ? undefined : "it holds binary data";
  // A circle is found by its depth too.
  if (depth > DEPTH_MAX) return `it is circular or nested deeper than ${DEPTH_MAX}`;
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === "function") return look(toJSON.call(value), depth + 1, form);
  for (const part of Array.isArray(value) ? value : Object.values(value)) {
    const reason = look(part, depth + 1, form);
    if (reason !== undefined) return reason;
  }
  return undefined;
}
