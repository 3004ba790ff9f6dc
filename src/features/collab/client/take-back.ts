import { createDeleteSet, type Doc, Item, iterateDeletedStructs, transact } from "yjs";

/** Deletes what this client has written between these clocks: what the server does not have. What it deleted itself stays deleted. */
export function takeBack(doc: Doc, from: number, to: number, origin: unknown): void {
  const { clientID, store } = doc;
  const len = to - from;
  if (len <= 0) return;
  const range = createDeleteSet();
  range.clients.set(clientID, [{ clock: from, len }]);
  transact(
    doc,
    (transaction) =>
      iterateDeletedStructs(transaction, range, (struct) => {
        if (!(struct instanceof Item)) return;
        // What an undo could bring back would be sent again.
        struct.keep = false;
        // Nor is what was deleted already sent with what was in it, which an undo had kept.
        if (struct.deleted) struct.gc(store, false);
        else struct.delete(transaction);
      }),
    origin,
  );
}
