import type { Server } from "socket.io";
import type { AppServer, AppSocket } from "../../events/subscriber.js";
import { flag, option, type Option, type Options, readOptions } from "../../events/option-table.js";
import { type Awaitable, longestTimerMs } from "../../wire/values.js";
import type { BetterKnown, VerifiedToken } from "./claims.js";
import type { KeySet, PublicKey } from "./keys.js";
import type { Revocations } from "./revocations.js";
import type { TokenSource } from "./token-source.js";

/** How an `Auth` knows who somebody is. One of `secret`, `key` and `jwks` is needed; everything else has a default. */
export interface AuthOptions<App extends AppServer = Server> {
  /** Whose clients it lets in. @default "/" */
  namespace?: string;
  /** The secret that tokens are signed with (HS256): at least 32 bytes, known to the issuer and to you. */
  secret?: string | Uint8Array;
  /** The public key of the issuer: PEM, a JSON Web Key, a `KeyObject` or a `CryptoKey`. */
  key?: PublicKey;
  /**
   * The key set of the issuer, or its address. It is fetched with the first token, every ten minutes, and when a token names a key that is
   * not in it, at most every ten seconds. While it can't be fetched, keys that are known go on, and others are `OVERLOADED`.
   */
  jwks?: string | URL | KeySet;
  /** Which algorithms count. @default `["HS256"]` for a secret, all with a public key otherwise */
  algorithms?: readonly string[];
  /** Who must have issued a token (`iss`). @default anybody who has the key */
  issuer?: string | readonly string[];
  /** Whom it must be for (`aud`): one of these. @default anybody */
  audience?: string | readonly string[];
  /** Where a token is looked for, in this order; the first that is there counts. @default ["auth", "header"] */
  from?: readonly TokenSource[];
  /**
   * What the application knows better than the token: whether the user is still active (`false` refuses, as `FORBIDDEN`), and their roles of
   * today. What it returns replaces what the token says. Asked when somebody connects, when a token is renewed, and before each event for
   * which {@link Auth.require} or {@link Auth.guard} ask for something, so that what was taken away counts for the next event: keep it
   * quick. If it throws, the connection or the event is refused. Without a socket it is asked by {@link Auth.verify}.
   */
  claims?: (
    token: VerifiedToken,
    socket: AppSocket<App> | undefined,
  ) => Awaitable<BetterKnown | false | null | undefined | void>;
  /** How long before a token expires its client is told, in milliseconds; half of what is left, if that is hardly longer. @default 60000 */
  warnBeforeMs?: number;
  /** By how much the issuer's clock may differ from ours, in milliseconds: tokens count so much longer. @default 0 */
  clockToleranceMs?: number;
  /** Which tokens count no more. Nodes must share one. @default a `MemoryRevocations` */
  revocations?: Revocations;
  /** Whether somebody without a token comes in as a guest, who has no user. A token that is there must be good all the same. @default false */
  optional?: boolean;
}

const between =
  (least: number, most: number) =>
  (value: unknown): boolean =>
    typeof value === "number" && value >= least && value <= most;
const anything = (): boolean => true;
const isNameOrNames = (value: unknown): boolean =>
  (Array.isArray(value) ? value : [value]).every((one) => typeof one === "string" && one !== "") &&
  (value as { length: number }).length > 0;

// Declarations are made file by file (isolatedDeclarations), so that each line of a table says its type by an `as`.
// oxlint-disable typescript/no-unnecessary-type-assertion
const table = {
  namespace: option(
    "/",
    'a name like "/chat"',
    (value) => typeof value === "string" && value.trim() !== "",
  ) as Option<string>,
  // What can't be one is told where it is made of it.
  secret: option(undefined, "a secret", anything) as Option<AuthOptions["secret"]>,
  key: option(undefined, "a public key", anything) as Option<AuthOptions["key"]>,
  jwks: option(undefined, "a key set", anything) as Option<AuthOptions["jwks"]>,
  algorithms: option(undefined, "a list of algorithms", anything) as Option<AuthOptions["algorithms"]>,
  from: option(["auth", "header"], "a list of places", anything) as Option<readonly TokenSource[]>,
  issuer: option(undefined, "a name, or a list of names", isNameOrNames) as Option<AuthOptions["issuer"]>,
  audience: option(undefined, "a name, or a list of names", isNameOrNames) as Option<AuthOptions["audience"]>,
  claims: option(undefined, "a function", (value) => typeof value === "function") as Option<
    AuthOptions<AppServer>["claims"]
  >,
  warnBeforeMs: option(
    60_000,
    `milliseconds from 0 to ${longestTimerMs}`,
    between(0, longestTimerMs),
  ) as Option<number>,
  clockToleranceMs: option(0, "milliseconds from 0 to 300000", between(0, 300_000)) as Option<number>,
  revocations: option(undefined, "a store with the methods revoke and revokedUntil", (value) =>
    ["revoke", "revokedUntil"].every((name) => typeof (value as Record<string, unknown> | null)?.[name] === "function"),
  ) as Option<Revocations | undefined>,
  optional: flag(false) as Option<boolean>,
};

/** The options of one `Auth`, read. */
export type CheckedAuthOptions = Options<typeof table>;

/** @throws TypeError naming the option that does not fit */
export function readAuthOptions(options: unknown): CheckedAuthOptions {
  return readOptions("Auth", table, options);
}
