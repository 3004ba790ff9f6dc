import { asRecord, checkNames } from "../../wire/option-names.js";
import { describeValue, longestTimerMs } from "../../wire/values.js";

/** How the members of a topic are present to each other. */
export interface PresenceSettings<Info = unknown> {
  /**
   * Changes are told together: a first one waits this long for others, in milliseconds. On several nodes it may take twice as long.
   *
   * @default 100
   */
  batchMs?: number;
  /**
   * To how many users they are listed to each other. Above it clients are told only how many there are, until there are a tenth fewer
   * than this. `Infinity` lists any number: each client is then told of each, so that what it costs grows with the square.
   *
   * @default 500
   */
  max?: number;
  /** Says what the others are told about a user beside their id. */
  info?: Info;
}

/** How changes of one topic are told. */
export type PresencePace = Required<Pick<PresenceSettings, "batchMs" | "max">>;

const DEFAULTS: PresencePace = Object.freeze({ batchMs: 100, max: 500 });

/** How changes of a topic are told whose definition says this of `presence`. */
export function paceOf(presence: unknown): PresencePace {
  if (typeof presence !== "object" || presence === null) return DEFAULTS;
  const { batchMs = DEFAULTS.batchMs, max = DEFAULTS.max } = presence as PresenceSettings;
  return { batchMs, max };
}

/** The function of a definition that says what is told about a user, if it has one. */
export function presenceInfoOf<Info extends (...args: never[]) => unknown>(
  presence: boolean | Info | PresenceSettings<Info> | undefined,
): Info | undefined {
  return typeof presence === "object" ? presence.info : typeof presence === "function" ? presence : undefined;
}

/** @throws TypeError naming what does not fit of what a definition says of `presence` */
export function checkPresence(where: string, presence: unknown): void {
  if (presence === undefined || typeof presence === "boolean" || typeof presence === "function") return;
  if (typeof presence !== "object" || presence === null)
    throw new TypeError(`${where}: presence must be true, a function or settings, got ${describeValue(presence)}`);
  checkNames(`${where}: presence`, asRecord(`${where}: presence`, presence), ["batchMs", "max", "info"]);
  const { batchMs = 0, max = 0, info } = presence as PresenceSettings;
  if (!(batchMs >= 0 && batchMs <= longestTimerMs))
    throw new TypeError(
      `${where}: presence.batchMs must be milliseconds from 0 to ${longestTimerMs}, got ${describeValue(batchMs)}`,
    );
  if (!(max === Number.POSITIVE_INFINITY || (Number.isInteger(max) && max >= 0)))
    throw new TypeError(`${where}: presence.max must be a whole number from 0, or Infinity, got ${describeValue(max)}`);
  if (info !== undefined && typeof info !== "function")
    throw new TypeError(`${where}: presence.info must be a function, got ${describeValue(info)}`);
}
