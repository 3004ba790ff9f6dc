/** What a node of the chaos suite is told. */
export interface Wanted {
  readonly push: { readonly n: number; readonly topics: string[] };
}

/** What a node says: where it listens, which push is in the log or could not be taken, and a rejection that nobody handled. */
export type Told =
  | { readonly port: number }
  | { readonly pushed: number }
  | { readonly refused: number; readonly why: string }
  | { readonly unhandled: string };

/** The key of Redis under which the runs of a call are noted. */
export function ran(id: string): string {
  return `ran:${id}`;
}
