const KEY = "notes";
const MOST = 50;

/** A note that was open in this browser. */
export interface KnownNote {
  id: string;
  /** What lets one write in it; `""` where it was opened to read. */
  key: string;
  title: string;
}

/** The notes that this browser knows, the last one first. */
export function knownNotes(): KnownNote[] {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "[]") as KnownNote[]; // written below
  } catch {
    return [];
  }
}

/** Remembers a note; a key that is known is kept. */
export function remember(note: KnownNote): void {
  const known = knownNotes();
  const before = known.find(({ id }) => id === note.id);
  const all = [{ ...note, key: note.key || (before?.key ?? "") }, ...known.filter((one) => one !== before)];
  localStorage.setItem(KEY, JSON.stringify(all.slice(0, MOST)));
}

/** The address of a note. */
export function addressOf({ id, key }: Pick<KnownNote, "id" | "key">): string {
  return `?${new URLSearchParams(key === "" ? { note: id } : { note: id, key })}`;
}
