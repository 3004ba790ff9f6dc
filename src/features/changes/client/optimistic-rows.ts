/** How long a row that was saved is shown before its change arrives, in milliseconds; then what the list has counts again. */
const SAVED_MS = 5_000;

/** Rows that are shown before the server has them. */
export interface OptimisticRows<Row> {
  /** By their keys. */
  readonly shown: ReadonlyMap<string, Row>;
  /** Shows a row until the promise settles and its change has arrived. */
  add(key: string, row: Row, saved: PromiseLike<unknown>): void;
  /** The server has told of this row: its own is shown. */
  giveWay(key: string): void;
  /** All rows are being loaded: what is saved by now is among them. */
  loading(): void;
  /** They are there. */
  loaded(): void;
  /** Shows nothing, and waits for nothing. */
  clear(): void;
}

/** What rows that are shown early mean to their list. */
export interface OptimisticEvents<Row> {
  /** What a promise resolved with, if that is a row. */
  readonly read: (value: unknown) => readonly [key: string, row: Row] | undefined;
  /** Something else is to be shown. */
  readonly onChange: () => void;
  /** A row was taken back, as its promise was rejected. */
  readonly onRolledBack: (error: unknown) => void;
}

/** Makes an empty record. */
export function createOptimisticRows<Row>({
  read,
  onChange,
  onRolledBack,
}: OptimisticEvents<Row>): OptimisticRows<Row> {
  const shown = new Map<string, Row>();
  const timers = new Map<string, ReturnType<typeof setTimeout>>();
  /** Those that were saved when all rows began to be loaded. */
  let contained = new Set<string>();
  /** Of each promise that has not settled, the rows that the server has told of since it was given. */
  const pending = new Set<Set<string>>();

  const drop = (key: string): void => {
    shown.delete(key);
    clearTimeout(timers.get(key));
    timers.delete(key);
  };
  const keep = (key: string, row: Row): void => {
    drop(key);
    contained.delete(key);
    shown.set(key, row);
    const timer = setTimeout(() => {
      drop(key);
      onChange();
    }, SAVED_MS);
    timers.set(key, timer);
  };

  return {
    shown,
    add(key, row, saved) {
      drop(key);
      shown.set(key, row);
      const told = new Set<string>();
      pending.add(told);
      // Another one may have been given for the same row meanwhile.
      const isMine = (): boolean => shown.get(key) === row && !timers.has(key);
      const settle = (then: () => void): void => {
        if (!pending.delete(told)) return;
        then();
        onChange();
      };
      Promise.resolve(saved).then(
        (value) =>
          settle(() => {
            const [savedKey, savedRow] = read(value) ?? [key, row];
            const mine = isMine();
            if (mine) drop(key);
            if (!told.has(savedKey) && (mine || !shown.has(savedKey))) keep(savedKey, savedRow);
          }),
        (error: unknown) =>
          settle(() => {
            if (isMine()) drop(key);
            onRolledBack(error);
          }),
      );
    },
    giveWay(key) {
      drop(key);
      for (const told of pending) told.add(key);
    },
    loading: () => void (contained = new Set(timers.keys())),
    loaded() {
      for (const key of contained) if (timers.has(key)) drop(key);
    },
    clear() {
      pending.clear();
      for (const key of shown.keys()) drop(key);
    },
  };
}
