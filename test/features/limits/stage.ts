import type { Socket as ClientSocket } from "socket.io-client";
import { Limits, type LimitsOptions } from "socket-ingress/limits";
import { type Door, type DoorOptions, open } from "../realtime/door.js";

/** A server with a realtime door, limits, and an event `say` that counts how often it ran. */
export interface Stage extends Door {
  readonly limits: Limits;
  /** How often `say` ran. */
  readonly said: () => number;
}

/** What a test may say about it. */
export interface StageOptions extends DoorOptions {
  readonly limits?: LimitsOptions;
  /** How many subscribers `say` has. @default 1 */
  readonly subscribers?: number;
}

/** Starts one; what is declared is declared before the server has it. */
export async function openLimited(
  declare: (limits: Limits) => void,
  { limits: limitsOptions, subscribers = 1, before, ...options }: StageOptions = {},
): Promise<Stage> {
  let limits: Limits | undefined;
  let said = 0;
  const door = await open({
    ...options,
    before: (manager, realtime) => {
      limits = new Limits({ realtime, ...limitsOptions });
      declare(limits);
      manager.registerHandler(limits);
      for (let i = 0; i < subscribers; i++) manager.ingress.subscribe("say", () => ++said);
      before?.(manager, realtime);
    },
  });
  if (limits === undefined) throw new Error("nothing was declared");
  return Object.assign(door, { limits, said: () => said });
}

/** The failure that an event was answered with, as far as limits say it. */
export interface Refusal {
  readonly code: string;
  readonly details: { readonly limit?: string; readonly scope?: string; readonly retryAfterMs: number };
}

/** What one `say` is answered: a number, or why not. */
export async function say(socket: ClientSocket, event = "say", ...args: unknown[]): Promise<number | Refusal> {
  const reply = (await socket.timeout(20_000).emitWithAck(event, ...args)) as number | { error: Refusal };
  return typeof reply === "object" ? reply.error : reply;
}

/** How many of so many are answered with a value. */
export async function saying(socket: ClientSocket, times: number, event = "say"): Promise<number> {
  const replies = await Promise.all(Array.from({ length: times }, () => say(socket, event)));
  return replies.filter((reply) => typeof reply === "number").length;
}
