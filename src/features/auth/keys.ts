import { createPublicKey, KeyObject, type webcrypto } from "node:crypto";
import { describeValue, isObject } from "../../wire/values.js";
import { loadJose } from "./jose.js";
import { RemoteKeys } from "./remote-keys.js";
import type { Logger } from "../../lifecycle/logger.js";

/** A JSON Web Key. */
export interface JsonWebKey {
  /** What kind of key it is, such as `RSA`, `EC` or `OKP`. */
  readonly kty: string;
  /** Whatever else belongs to such a key. */
  readonly [member: string]: unknown;
}

/** A public key: as text in PEM, as a JSON Web Key, as Node's `KeyObject` or as a `CryptoKey`. */
export type PublicKey = string | KeyObject | webcrypto.CryptoKey | JsonWebKey;

/** A JSON Web Key Set, as an issuer publishes it. */
export interface KeySet {
  /** Its public keys. */
  readonly keys: readonly object[];
}

/** What a token says of its signature. None of it has been verified. */
export interface TokenHeader {
  /** The algorithm. It is one of those that are allowed. */
  readonly alg?: string;
  /** The name of the key. */
  readonly kid?: string;
}

/** Gives the key to verify a token with. */
export type KeyOf = (header: TokenHeader) => webcrypto.CryptoKey | Promise<webcrypto.CryptoKey>;

/** What somebody verifies tokens with: one of these. */
export interface KeyOptions {
  readonly secret?: string | Uint8Array | undefined;
  readonly key?: PublicKey | undefined;
  readonly jwks?: string | URL | KeySet | undefined;
}

/** With what tokens are verified. */
export interface Keys {
  /** The algorithms that such keys are for. No other counts, whatever a token says. */
  readonly algorithms: readonly string[];
  readonly keyOf: KeyOf;
}

/** The one that is allowed unless somebody asks for another first. */
const symmetric = ["HS256", "HS384", "HS512"];
const asymmetric = ["RS", "PS", "ES"]
  .flatMap((kind) => [256, 384, 512].map((bits) => kind + bits))
  .concat("EdDSA", "Ed25519");

/** What an HS256 secret has to have (RFC 7518, section 3.2). */
const SECRET_BYTES = 32;

/**
 * Reads what tokens are verified with. A key is imported when it is first asked for, once for each algorithm.
 *
 * @throws TypeError unless it is one of the ways, and it fits
 */
export function readKeys(options: KeyOptions, wanted: readonly string[] | undefined, log: () => Logger): Keys {
  const ways = (["secret", "key", "jwks"] as const).filter((name) => options[name] !== undefined);
  if (ways.length !== 1)
    throw new TypeError(
      `Auth: expected one of secret, key and jwks, got ${ways.length === 0 ? "none" : ways.join(" and ")}`,
    );
  const { secret, key, jwks } = options;
  if (secret !== undefined)
    return { algorithms: allowed("secret", symmetric, wanted, ["HS256"]), keyOf: ofSecret(secret) };
  const algorithms = allowed(key === undefined ? "jwks" : "key", asymmetric, wanted, asymmetric);
  return { algorithms, keyOf: key === undefined ? ofSet(jwks, log) : ofKey(key) };
}

/** A public key must never be taken for a secret: whoever knows it could sign. */
function allowed(
  way: string,
  fitting: readonly string[],
  wanted: readonly string[] | undefined,
  standard: readonly string[],
): readonly string[] {
  if (wanted === undefined) return standard;
  const fits = Array.isArray(wanted) && wanted.length > 0 && wanted.every((name) => fitting.includes(name));
  if (fits) return wanted;
  throw new TypeError(
    `Auth: algorithms must be some of ${fitting.join(", ")} beside a ${way}, got ${Array.isArray(wanted) ? JSON.stringify(wanted) : describeValue(wanted)}`,
  );
}

function ofSecret(secret: unknown): KeyOf {
  if (typeof secret !== "string" && !(secret instanceof Uint8Array))
    throw new TypeError(`Auth: secret must be a string or bytes, got ${describeValue(secret)}`);
  const bytes = new Uint8Array(typeof secret === "string" ? Buffer.from(secret) : secret);
  // Its length is said, never a part of it.
  if (bytes.length < SECRET_BYTES)
    throw new TypeError(`Auth: secret must have at least ${SECRET_BYTES} bytes, got ${bytes.length}`);
  const hash = (alg: string): webcrypto.HmacImportParams => ({ name: "HMAC", hash: `SHA-${alg.slice(2)}` });
  return onceForEach((alg) => crypto.subtle.importKey("raw", bytes, hash(alg), false, ["verify"]));
}

function ofKey(key: unknown): KeyOf {
  if (isCryptoKey(key)) {
    if (key.type !== "public") throw new TypeError(`Auth: key must be a public key, got a ${key.type} one`);
    return () => key;
  }
  const jwk = publicKey(key).export({ format: "jwk" });
  // What it makes of a public JWK is a CryptoKey; bytes it makes of secrets alone.
  return onceForEach(async (alg) => (await (await loadJose()).importJWK(jwk, alg)) as webcrypto.CryptoKey);
}

function publicKey(key: unknown): KeyObject {
  if (key instanceof KeyObject) {
    if (key.type === "public") return key;
    throw new TypeError(`Auth: key must be a public key, got a ${key.type} one`);
  }
  try {
    if (typeof key === "string") return createPublicKey(key);
    if (isObject(key)) return createPublicKey({ key: key as { kty: string }, format: "jwk" });
  } catch (cause) {
    throw new TypeError("Auth: key must be a public key, in PEM or as a JSON Web Key; it can't be read", { cause });
  }
  throw new TypeError(`Auth: key must be a public key, got ${describeValue(key)}`);
}

function ofSet(jwks: unknown, log: () => Logger): KeyOf {
  if (typeof jwks === "string" || jwks instanceof URL) {
    const remote = new RemoteKeys(addressOf(jwks), log);
    return (header) => remote.keyOf(header);
  }
  const keys: unknown = (jwks as Partial<KeySet> | null)?.keys;
  if (!Array.isArray(keys) || !keys.every((key) => typeof (key as { kty?: unknown } | null)?.kty === "string"))
    throw new TypeError(`Auth: jwks must be the address of a key set, or a key set, got ${describeValue(jwks)}`);
  let local: Promise<(header: TokenHeader) => Promise<webcrypto.CryptoKey>> | undefined;
  return async (header) => {
    local ??= loadJose().then(({ createLocalJWKSet }) => createLocalJWKSet({ keys }) as never);
    return (await local)(header);
  };
}

function addressOf(given: string | URL): URL {
  const address = URL.canParse(String(given)) ? new URL(given) : undefined;
  if (address?.protocol === "https:" || address?.protocol === "http:") return address;
  throw new TypeError(`Auth: jwks must be an address with https or http, got ${describeValue(String(given))}`);
}

/** Imports a key once for each algorithm. One that can't be imported is tried again with the next token. */
function onceForEach(importFor: (alg: string) => Promise<webcrypto.CryptoKey>): KeyOf {
  const imported = new Map<string, Promise<webcrypto.CryptoKey>>();
  return ({ alg = "" }) => {
    const known = imported.get(alg);
    if (known !== undefined) return known;
    const importing = importFor(alg);
    imported.set(alg, importing);
    importing.catch(() => imported.delete(alg));
    return importing;
  };
}

function isCryptoKey(key: unknown): key is webcrypto.CryptoKey {
  return isObject(key) && (key as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag] === "CryptoKey";
}
