import { createHash } from "node:crypto";
import { describeValue } from "../wire/values.js";

/** A client of node-redis 4 or later, as far as it is used: one command as a list of strings. */
export interface NodeRedisClient {
  /** Sends one command. */
  sendCommand(args: string[]): Promise<unknown>;
}

/** A client of ioredis, as far as it is used. */
export interface IoRedisClient {
  /** Sends one command. */
  call(command: string, ...args: string[]): Promise<unknown>;
}

/** The application's own Redis client, of `redis` or of `ioredis`: connected by the application, and closed by it. */
export type RedisClient = NodeRedisClient | IoRedisClient;

/**
 * Commands and scripts on the application's Redis client, whichever of the two libraries it is of. What can't be reached rejects
 * as the client has it: a client that queues while Redis is down makes callers wait.
 */
export class Redis {
  readonly #send: (command: string, args: readonly string[]) => Promise<unknown>;
  /** The scripts that were sent whole. */
  readonly #sent = new Set<string>();

  /** @throws TypeError if the client is of neither library */
  constructor(client: RedisClient, subject: string) {
    // Both have a `sendCommand`, but that of ioredis takes an object of its own.
    if (has(client, "call")) this.#send = async (command, args) => (client as IoRedisClient).call(command, ...args);
    else if (has(client, "sendCommand"))
      this.#send = async (command, args) => (client as NodeRedisClient).sendCommand([command, ...args]);
    else throw new TypeError(`${subject} expects a client of redis or ioredis, got ${describeValue(client)}`);
  }

  /** Sends one command. */
  async send(command: string, ...args: readonly string[]): Promise<unknown> {
    return this.#send(command, args);
  }

  /**
   * Runs a script, which is sent whole the first time, and to a Redis that does not know it any more. What is run in one turn runs in that
   * order: one that had to be sent again would be overtaken by the next.
   */
  async run(script: RedisScript, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    const rest = [String(keys.length), ...keys, ...args];
    if (!this.#sent.has(script.sha)) {
      this.#sent.add(script.sha);
      return this.#send("EVAL", [script.text, ...rest]);
    }
    try {
      return await this.#send("EVALSHA", [script.sha, ...rest]);
    } catch (error) {
      if (!String((error as { message?: unknown }).message).includes("NOSCRIPT")) throw error;
      return this.#send("EVAL", [script.text, ...rest]);
    }
  }
}

/** A script of Redis' own language, with the name under which Redis keeps it. */
export interface RedisScript {
  readonly text: string;
  readonly sha: string;
}

/** Makes a script. */
export function redisScript(text: string): RedisScript {
  return { text, sha: createHash("sha1").update(text).digest("hex") };
}

function has(client: unknown, method: string): boolean {
  return typeof (client as Record<string, unknown> | null | undefined)?.[method] === "function";
}
