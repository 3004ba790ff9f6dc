import type { Namespace, Socket } from "socket.io";
import { RECEIVED } from "../wire/receipts.js";

/** Socket.IO's number for a packet that holds an event. */
const EVENT = 2;

/** Whoever has left so many questions unanswered is asked no more, until a late answer comes: a plain client never answers. */
const MOST_UNANSWERED = 10;

/** A question that is not over: it is told that a socket has answered, or will not. */
type Question = (socket: Socket, hasReceived: boolean) => void;

/**
 * Sends to sockets of this node and asks whether it has arrived. Who has answered before is sent the event inside the question, in one packet;
 * all others the event as it is, and the question behind it. Either is encoded once for all (decision 0071).
 *
 * Socket.IO keeps what waits for an acknowledgement until it comes or its socket goes, so the number of questions that may stay
 * unanswered is bounded.
 */
export class ArrivalsAsked {
  readonly #namespace: Namespace;
  readonly #questions = new Set<Question>();
  readonly #answering = new WeakSet<Socket>();
  readonly #unanswered = new WeakMap<Socket, number>();

  constructor(namespace: Namespace) {
    this.#namespace = namespace;
  }

  /** Sends, and resolves to how many have said that it arrived, when all who are asked have, or are gone, or the time is over. */
  send(ids: readonly string[], event: string, payload: readonly unknown[], timeoutMs: number): Promise<number> {
    const sockets = ids.map((id) => this.#namespace.sockets.get(id) as Socket); // of this node, now
    const isAsked = (socket: Socket): boolean => this.#unansweredBy(socket) < MOST_UNANSWERED;
    const inside = sockets.filter((socket) => isAsked(socket) && this.#answering.has(socket));
    const others = inside.length === sockets.length ? [] : sockets.filter((socket) => !inside.includes(socket));
    if (others.length > 0) this.#namespace.local.to(others.map(({ id }) => id)).emit(event, ...payload);
    const behind = others.filter(isAsked);
    if (inside.length + behind.length === 0) return Promise.resolve(0);
    return new Promise((resolve) => {
      const waiting = new Set<Socket>([...inside, ...behind]);
      let received = 0;
      const end = (): void => {
        clearTimeout(timer);
        this.#questions.delete(answer);
        for (const socket of waiting) this.#unanswered.set(socket, this.#unansweredBy(socket) + 1);
        waiting.clear();
        resolve(received);
      };
      const answer: Question = (socket, hasReceived) => {
        if (!waiting.delete(socket)) return;
        if (hasReceived) received++;
        if (waiting.size === 0) end();
      };
      const timer = setTimeout(end, timeoutMs);
      this.#questions.add(answer);
      this.#ask(inside, [RECEIVED, event, ...payload], answer);
      this.#ask(behind, [RECEIVED], answer);
    });
  }

  /** A socket is going: nobody waits for it any more. */
  gone(socket: Socket): void {
    for (const answer of [...this.#questions]) answer(socket, false);
  }

  #unansweredBy(socket: Socket): number {
    return this.#unanswered.get(socket) ?? 0;
  }

  /** By the adapter: an operator of Socket.IO's waits for the other nodes as well, though it is told to ask this one alone. */
  #ask(sockets: readonly Socket[], data: unknown[], answer: Question): void {
    if (sockets.length === 0) return;
    const onAnswer = (socket: Socket): void => {
      this.#answering.add(socket);
      this.#unanswered.delete(socket);
      answer(socket, true);
    };
    this.#namespace.adapter.broadcastWithAck(
      { type: EVENT, data },
      { rooms: new Set(sockets.map(({ id }) => id)), except: new Set(), flags: { local: true } },
      () => undefined,
      // An acknowledgement is called with its socket as `this` (`Socket.onack`).
      function (this: Socket) {
        onAnswer(this);
      },
    );
  }
}
