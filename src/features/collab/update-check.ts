import type { Doc, ID } from "yjs" with { "resolution-mode": "import" };
import { withoutStack } from "../../wire/event-error.js";
import { tooMuch } from "./bytes.js";
import { DEPTH_MAX, Nesting } from "./nesting.js";

/** Yjs, in the copy that the documents are made with (decision 0076). */
export type Yjs = typeof import("yjs", { with: { "resolution-mode": "import" } });

/** A part of an update. */
export type Struct = ReturnType<Yjs["decodeUpdate"]>["structs"][number];

/** What an update would do. */
export interface Finding {
  /** What of it can be taken: all, or what hangs on nothing that is missing or another one's. */
  readonly update: Uint8Array;
  /** Why that is not all. */
  readonly conflict: Error | undefined;
  /** It brings something that the document does not have. */
  readonly isNew: boolean;
  /** It brings content: the document would be larger. */
  readonly grows: boolean;
  /** Up to where it leads, by client. */
  readonly ends: ReadonlyMap<number, number>;
}

/**
 * Looks through an update before it touches the document. Yjs keeps whatever waits for something that is missing, for ever and in every
 * state it gives out, and takes any client's word for which client it is (decision 0077).
 *
 * @param isForeign whether a client id is somebody else's
 * @throws EventError `INVALID_INPUT` if it can't be read, or is nested too deeply; `CONFLICT` if nothing of it is new and can be taken, as something is missing
 * before it, or it is written in another one's name: whoever is honest syncs again
 */
export function examine(yjs: Yjs, doc: Doc, update: Uint8Array, isForeign: (client: number) => boolean): Finding {
  const { structs, ds } = decode(yjs, update);
  const nesting = new Nesting(yjs, doc, structs);
  const ends = new Map<number, number>();
  const end = (client: number): number => ends.get(client) ?? yjs.getState(doc.store, client);
  let isNew = false;
  let grows = false;
  let conflict: Error | undefined;

  /** Takes a struct, or says what has to come before it. */
  const take = (struct: Struct): ID | undefined => {
    const { client, clock } = struct.id;
    const after = clock + struct.length;
    // Yjs takes one of no length for new, wherever it begins.
    if (struct.length < 1) throw withoutStack("INVALID_INPUT", "an update has no empty parts");
    // Yjs reads infinite numbers, and NaN; the next transaction of whoever counts with them throws.
    if (!Number.isSafeInteger(client) || !Number.isSafeInteger(after))
      throw withoutStack("INVALID_INPUT", "an update counts in whole numbers");
    if (clock > end(client) || (struct instanceof yjs.Skip && after > end(client))) throw missing();
    // Of one that is there already, too: Yjs asks for these first.
    const before = refsOf(yjs, struct).find((id) => !(id.clock < end(id.client)));
    if (before) return before;
    if (after <= end(client)) return undefined;
    if (isForeign(client)) {
      conflict = withoutStack("CONFLICT", "this was written in another one's name; sync again");
      return struct.id; // which its own writer brings
    }
    if (!nesting.take(struct)) throw tooMuch("this is nested too deeply", "maxDepth", DEPTH_MAX);
    ends.set(client, after);
    isNew = true;
    grows ||= struct instanceof yjs.Item && !(struct.content instanceof yjs.ContentDeleted);
    return undefined;
  };
  const queues = takeAll(structs, take, blocksOf(update));
  if ([...queues.values()].some(({ structs: { length }, at }) => at < length)) conflict ??= missing();
  for (const [client, ranges] of ds.clients)
    for (const { clock, len } of ranges) if (!(clock + len <= end(client))) conflict ??= missing();
  if (conflict && !isNew) throw conflict;
  return { update: conflict ? beginning(yjs, queues) : update, conflict, isNew, grows, ends };
}

/** What was taken of an update, without what it deletes: of what a server has lost each client has something that others have to bring (decision 0077). */
function beginning(yjs: Yjs, queues: ReadonlyMap<number, Queue>): Uint8Array {
  const encoder = new yjs.UpdateEncoderV1();
  const begun = [...queues].filter(([, { at }]) => at > 0);
  encoder.writeLen(begun.length);
  for (const [client, { structs, at }] of begun) {
    const taken = structs.slice(0, at);
    encoder.writeLen(taken.length);
    encoder.writeClient(client);
    encoder.writeLen((taken[0] as Struct).id.clock); // one is there
    // Skips are never taken where they lead further, and those that don't are written as what they are.
    for (const struct of taken) struct.write(encoder, 0);
  }
  encoder.writeLen(0);
  return encoder.toUint8Array();
}

/** The structs of one client, and how many of them are taken. */
interface Queue {
  readonly structs: Struct[];
  at: number;
}

/**
 * Takes the structs of each client in their order, and those of one behind those of others that they hang on; those that hang on what is not
 * there, or on each other, are left.
 *
 * @param blocks how many clients the update says that it has
 */
function takeAll(
  structs: readonly Struct[],
  take: (struct: Struct) => ID | undefined,
  blocks: number,
): Map<number, Queue> {
  const queues = new Map<number, Queue>();
  for (const struct of structs) {
    const queue = queues.get(struct.id.client);
    if (queue) queue.structs.push(struct);
    else queues.set(struct.id.client, { structs: [struct], at: 0 });
  }
  // Of a client that is there twice, Yjs would read the second part, and wait for the first.
  if (queues.size !== blocks) throw withoutStack("INVALID_INPUT", "an update has each client once");
  const waiting = new Map<number, number[]>();
  const work = [...queues.keys()];
  for (let client = work.pop(); client !== undefined; client = work.pop()) {
    const queue = queues.get(client) as Queue; // whoever waits has one
    const from = queue.at;
    for (let struct = queue.structs[queue.at]; struct; struct = queue.structs[queue.at]) {
      const before = take(struct);
      if (before) {
        const others = waiting.get(before.client);
        if (others) others.push(client);
        else waiting.set(before.client, [client]);
        break;
      }
      queue.at++;
    }
    if (queue.at === from) continue;
    work.push(...(waiting.get(client) ?? []));
    waiting.delete(client);
  }
  return queues;
}

/** An update begins with the number of its clients, seven bits a byte, the lowest first. */
function blocksOf(update: Uint8Array): number {
  let [blocks, unit] = [0, 1];
  for (const byte of update) {
    blocks += (byte % 128) * unit;
    unit *= 128;
    if (byte < 128) break;
  }
  return blocks;
}

function decode(yjs: Yjs, update: Uint8Array): ReturnType<Yjs["decodeUpdate"]> {
  try {
    return yjs.decodeUpdate(update);
  } catch (cause) {
    throw withoutStack("INVALID_INPUT", "this is no update of a document", { cause });
  }
}

function refsOf(yjs: Yjs, struct: Struct): ID[] {
  if (!(struct instanceof yjs.Item)) return [];
  return [struct.origin, struct.rightOrigin, struct.parent].filter((ref) => ref instanceof yjs.ID);
}

function missing(): Error {
  return withoutStack("CONFLICT", "something before this is missing; sync again");
}
