import type { Socket } from "socket.io";
import type { IngressState } from "../dispatch/ingress-state.js";
import type { Limited, TimeLimit } from "../dispatch/flow/time-limits.js";

/** How many of one socket are held. */
const MOST_PER_SOCKET = 1_000;

/**
 * Answers that are held back for the time limit, because somebody else may still answer: what happens with them is told by
 * `answer`, once. Those of a socket that disconnects are forgotten.
 */
export class HeldAnswers {
  readonly #state: IngressState;
  readonly #timeLimit: { readonly timeoutMs: number; limit: TimeLimit | undefined };
  readonly #sockets = new WeakMap<Socket, Set<Held>>();

  /** @param timeoutMs how long they are held */
  constructor(state: IngressState, timeoutMs: number) {
    this.#state = state;
    this.#timeLimit = { timeoutMs, limit: undefined };
  }

  /** Calls `answer` when the time limit is over, the server shuts down, or too many are held for its socket. */
  hold(socket: Socket, answer: () => void): void {
    let held = this.#sockets.get(socket);
    if (held === undefined) {
      this.#sockets.set(socket, (held = new Set()));
      socket.on("disconnect", this.#onDisconnect);
    }
    const all = held;
    const one = new Held(answer, () => {
      all.delete(one);
      if (all.size === 0) this.#letGo(socket);
    });
    held.add(one);
    this.#state.underWay.limits.add(this.#timeLimit, one);
    const [oldest] = held;
    if (held.size > MOST_PER_SOCKET) oldest?.cut();
  }

  /** Answers what is held for a socket. */
  release(socket: Socket): void {
    for (const held of [...(this.#sockets.get(socket) ?? [])]) held.cut();
  }

  #letGo(socket: Socket): void {
    this.#sockets.delete(socket);
    socket.off("disconnect", this.#onDisconnect);
  }

  readonly #onDisconnect = ((answers: HeldAnswers) =>
    function onDisconnect(this: Socket): void {
      const held = answers.#sockets.get(this) as Set<Held>; // it listens for as long as something is held
      answers.#letGo(this);
      for (const one of held) one.forget();
    })(this);
}

/** One of them. */
class Held implements Limited {
  limit: TimeLimit | undefined = undefined;
  before: Limited | undefined = undefined;
  behind: Limited | undefined = undefined;
  since = -1;
  /** It awaits nothing, so it never waits for a teardown or a shutdown of its own. */
  readonly settled = undefined;
  readonly #answer: () => void;
  readonly #over: () => void;

  constructor(answer: () => void, over: () => void) {
    this.#answer = answer;
    this.#over = over;
  }

  expire(): void {
    this.#over();
    this.#answer();
  }

  cut(): undefined {
    this.forget();
    this.expire();
    return undefined;
  }

  forget(): void {
    this.limit?.remove(this);
  }

  outlive(): void {
    // Nobody waits for it but its caller.
  }
}
