/** Tells values apart by what they say; by which one it is, where that can't be written down: a circle, a `Blob`. */
export function keyOf(whole: unknown): unknown {
  try {
    return JSON.stringify(whole, (_, part: unknown) => {
      // Of these JSON says nothing, or throws. By their tags, as they may come from another frame.
      const tag = Object.prototype.toString.call(part).slice(8, -1);
      if (tag === "Blob" || tag === "File") throw new TypeError("no JSON");
      const view = tag === "ArrayBuffer" ? new Uint8Array(part as ArrayBuffer) : part;
      if (ArrayBuffer.isView(view))
        return { bytes: [...new Uint8Array(view.buffer, view.byteOffset, view.byteLength)] };
      return typeof part === "bigint" ? { bigint: String(part) } : part;
    });
  } catch {
    return whole;
  }
}
