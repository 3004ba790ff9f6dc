import type { Socket } from "socket.io-client";
import type { Failure } from "socket-ingress";
import type { Evicted, Joined, Position } from "socket-ingress/realtime";

/** What a reader was told, in order. */
export type Heard = readonly ["push", event: string, ...args: unknown[]] | readonly ["gap", topic: string];

type Answer = { answers: (Joined | Failure)[]; refused: string[] };

/** A client that reads positions by hand, as `PROTOCOL.md` says. */
export interface PositionReader {
  readonly heard: Heard[];
  /** Every frame of positions, as it came. */
  readonly frames: unknown[][];
  /** The first argument of each push so far. */
  readonly got: unknown[];
  readonly gaps: string[];
  position: Position | undefined;
  /** Joins topics for the first time, or again while it is in them. */
  join(...topics: string[]): Promise<Answer>;
  /** Joins what was lost; a reconnect, or a gap, does so by itself unless `byHand`. */
  rejoin(...topics: string[]): Promise<void>;
  /** Resolves when it is connected, and all that was lost is joined again, unless that is done by hand. */
  rejoined(): Promise<void>;
  /** Resolves when a push with this first argument has come. */
  until(data: unknown): Promise<void>;
}

/** Makes a client read positions. */
export function readPositions(
  socket: Socket,
  { byHand = false, retries = false }: { byHand?: boolean; retries?: boolean } = {},
): PositionReader {
  const heard: Heard[] = [];
  const frames: unknown[][] = [];
  const waiting = new Set<() => void>();
  /** Each topic that is wanted: in, or lost at a position; `true` where it was never in. */
  const topics = new Map<string, "in" | Position | true>();
  let position: Position | undefined;
  /** Numbers that came while topics were being joined again: where that was cut off they come a second time. */
  const had = new Set<number>();
  let asking = 0;

  const lose = (): void => {
    for (const [topic, place] of topics) if (place === "in") topics.set(topic, position ?? true);
  };
  const ask = async (names: readonly string[], at: unknown): Promise<Answer> => {
    asking++;
    const answer = (await socket.timeout(20_000).emitWithAck("ingress:join", names, at)) as Answer & Failure;
    if (--asking <= 0) had.clear();
    if (answer.error) throw new Error(answer.error.code);
    for (const topic of answer.refused) if (topics.get(topic) === "in") topics.set(topic, position ?? true);
    return answer;
  };
  const rejoin = async (...names: string[]): Promise<void> => {
    const groups = new Map<string, string[]>();
    for (const [topic, place] of topics) {
      if (place === "in" || (names.length > 0 && !names.includes(topic))) continue;
      const key = JSON.stringify(place);
      groups.set(key, [...(groups.get(key) ?? []), topic]);
    }
    await Promise.all([...groups].map(([at, some]) => ask(some, JSON.parse(at))));
  };
  /** Until all are in: what failed for the moment is asked again, as the client door does. */
  const persist = async (): Promise<void> => {
    await rejoin().catch(() => undefined);
    if (!socket.connected || [...topics.values()].every((place) => place === "in")) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
    await persist();
  };
  let returning = Promise.resolve();
  const again = (): void => {
    lose();
    if (!byHand) returning = retries ? persist() : rejoin();
    returning.catch(() => undefined); // told to who waits
  };

  // What Socket.IO brings back has holes: from "disconnect" on nothing is heard until it is known what is asked for again.
  let deaf = false;
  let reads = false;
  socket.on("disconnect", () => {
    deaf = true;
    lose();
  });
  socket.on("connect", () => {
    asking = 0;
    reads &&= socket.recovered;
    deaf = reads;
    if (!deaf) again();
  });
  socket.on("ingress:gap", () => {
    deaf = false;
    again();
  });
  socket.on("ingress:evicted", ({ topic, at }: Evicted) => {
    if (topics.has(topic)) topics.set(topic, at ?? true);
  });
  socket.on("ingress:at", (...frame: unknown[]) => {
    if (deaf) return;
    reads = true;
    frames.push(frame);
    const [n, ...rest] = frame;
    if (typeof n === "number") {
      if (had.has(n)) return;
      if (asking > 0) had.add(n);
      if (position && n > position[1]) position = [position[0], n];
      heard.push(["push", ...(rest as [string, ...unknown[]])]);
    } else {
      const at = n as Position;
      const [names, refetch] = rest as [string[], string[]];
      const isIn = [...topics.values()].includes("in");
      if (!isIn || position?.[0] !== at[0] || at[1] > position[1]) position = at;
      for (const topic of names) topics.set(topic, "in");
      for (const topic of refetch) heard.push(["gap", topic]);
    }
    for (const look of [...waiting]) look();
  });
  const got = (): unknown[] => heard.flatMap((each) => (each[0] === "push" ? [each[2]] : []));
  return {
    heard,
    frames,
    get got() {
      return got();
    },
    get gaps() {
      return heard.flatMap((each) => (each[0] === "gap" ? [each[1]] : []));
    },
    get position() {
      return position;
    },
    set position(at) {
      position = at;
      for (const topic of topics.keys()) if (at && topics.get(topic) !== "in") topics.set(topic, at);
    },
    join: async (...names) => {
      const inside = names.every((name) => topics.get(name) === "in");
      for (const name of names) if (!topics.has(name)) topics.set(name, true);
      return ask(names, inside ? position : true);
    },
    rejoin,
    rejoined: async () => {
      if (!socket.connected) await new Promise<void>((resolve) => socket.once("connect", resolve));
      await returning;
    },
    until: (data) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (!got().includes(data)) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      }),
  };
}
