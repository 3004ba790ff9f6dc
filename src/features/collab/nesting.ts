import type { AbstractType, Doc, GC, ID, Item } from "yjs" with { "resolution-mode": "import" };
import type { Struct, Yjs } from "./update-check.js";

/** Types in types, and values in values, are nested no deeper (decision 0080). */
export const DEPTH_MAX = 200;

/** How deep what an update brings is nested. */
export class Nesting {
  readonly #yjs: Yjs;
  readonly #doc: Doc;
  /** What was looked at, by clients and in the order of their clocks. */
  readonly #structs = new Map<number, (GC | Item)[]>();
  /** In how many types each of it is. */
  readonly #depths = new Map<GC | Item, number>();
  /** An update that brings no type is no deeper than the document. */
  readonly #hasTypes: boolean;

  constructor(yjs: Yjs, doc: Doc, structs: readonly Struct[]) {
    this.#yjs = yjs;
    this.#doc = doc;
    this.#hasTypes = structs.some((struct) => struct instanceof yjs.Item && struct.content instanceof yjs.ContentType);
  }

  /** Looks at a part that is new, behind all that it hangs on. Returns whether it may be as deep as it is. */
  take(struct: GC | Item): boolean {
    const { Item, ContentDoc, ContentString, ContentType } = this.#yjs;
    if (this.#hasTypes) {
      const depth = struct instanceof Item ? this.#depthOf(struct) : 0;
      if (depth > DEPTH_MAX) return false;
      const structs = this.#structs.get(struct.id.client) ?? [];
      this.#structs.set(struct.id.client, structs);
      structs.push(struct);
      this.#depths.set(struct, depth);
    }
    if (!(struct instanceof Item)) return true;
    const { content } = struct;
    if (content instanceof ContentString || content instanceof ContentType) return true;
    return !isDeeper(content instanceof ContentDoc ? content.opts : content, DEPTH_MAX);
  }

  #depthOf({ parent, origin, rightOrigin }: Item): number {
    if (parent instanceof this.#yjs.ID) return this.#depthAt(parent) + 1;
    // Who does not say what it is in is beside another one.
    const beside = origin ?? rightOrigin;
    return beside ? this.#depthAt(beside) : 1;
  }

  #depthAt(id: ID): number {
    const { findIndexSS, getItem, getState, Item } = this.#yjs;
    const { store } = this.#doc;
    if (id.clock >= getState(store, id.client)) {
      // It was looked at before.
      const structs = this.#structs.get(id.client) as (GC | Item)[];
      return this.#depths.get(structs[findIndexSS(structs, id.clock)] as GC | Item) as number;
    }
    let depth = 0;
    let at: unknown = getItem(store, id);
    while (at instanceof Item) {
      depth++;
      ({ _item: at } = at.parent as AbstractType<unknown>); // in a document each is in a type
    }
    return depth;
  }
}

function isDeeper(value: unknown, than: number): boolean {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return false;
  return than < 0 || Object.values(value).some((part) => isDeeper(part, than - 1));
}
