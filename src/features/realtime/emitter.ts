import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import type { Server, ServerOptions } from "socket.io";
import { checkNames } from "../../wire/option-names.js";
import { describeValue } from "../../wire/values.js";
import type { AppServer } from "../../events/subscriber.js";
import type { Reach } from "../../push/cluster.js";
import type { Target } from "../../push/target.js";
import { givePushMethods } from "./push-methods.js";
import type { TopicLog } from "../../push/topic-log.js";
import { declaresNothing, type DisconnectOptions, Realtime, type RevokeOptions } from "./realtime.js";

/** How an emitter is made. */
export interface EmitterOptions {
  /** The adapter the servers have, with the same options: a class, or what an adapter package's `createAdapter` gives. */
  adapter: ServerOptions["adapter"];
  /** Whose clients it speaks to. @default "/" */
  namespace?: string;
  /** The log that the servers have, to push to topics with history. @default none: such pushes reject */
  log?: TopicLog;
}

/** Which topics have a history is for the servers to say. */
class WorkerRealtime<App extends AppServer> extends Realtime<App> {
  protected override readonly [declaresNothing] = true;
}

/** A room that nobody is in. */
const NOWHERE = "ingress:nowhere";

/**
 * A worker that pushes to the clients of the servers it shares an adapter with, and has none itself: a job, a queue, a script. It is
 * a node like the others, so they count it and wait for its answers; `close()` it when the work is done. Made by
 * {@link createEmitter}.
 *
 * @typeParam App - the `Server<...>` type of the application
 */
export class Emitter<App extends AppServer = Server> {
  /** The same as {@link Realtime.emitSocket}. */
  declare readonly emitSocket: Realtime<App>["emitSocket"];
  /** The same as {@link Realtime.emitSocketRefetch}. */
  declare readonly emitSocketRefetch: Realtime<App>["emitSocketRefetch"];
  /** The same as {@link Realtime.sendTo}. */
  declare readonly sendTo: Realtime<App>["sendTo"];
  /** @internal */
  readonly realtime: Realtime<App>;
  readonly #io: Server;
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(io: Server, realtime: Realtime<App>) {
    this.#io = io;
    this.realtime = realtime;
  }

  /** The same as {@link Realtime.count}. */
  count(target: Target): Promise<Reach> {
    return this.realtime.count(target);
  }

  /** The same as {@link Realtime.revoke}. */
  revoke(user: string, topic?: string, options?: RevokeOptions): Promise<Reach> {
    return this.realtime.revoke(user, topic, options);
  }

  /** The same as {@link Realtime.disconnect}. */
  disconnect(target: Target, options?: DisconnectOptions): Promise<Reach> {
    return this.realtime.disconnect(target, options);
  }

  /**
   * Ends it: what was pushed before is on its way, what is pushed after reaches nobody. The adapter is closed, so that the others
   * count one node less, and a process that has nothing else to do ends. The adapter's own connections, such as the Redis client that
   * was given to it, are closed by whoever opened them. Again it does nothing more.
   */
  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  /** For `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const { namespace } = this.realtime;
    await this.realtime.teardown();
    // Not `io.close()`: without an HTTP server it rejects.
    for (const name of new Set(["/", namespace])) {
      const { adapter } = this.#io.of(name);
      // The adapter for Redis streams sees that it is closed when its reader, which may wait for seconds, has read something: this comes
      // after the close in its stream, and for the others, which say goodbye, before it.
      const woken: unknown = adapter.broadcast(
        { type: 2, data: [NOWHERE] },
        { rooms: new Set([NOWHERE]), except: new Set() },
      );
      await Promise.all([Promise.resolve(woken), Promise.resolve(adapter.close() as unknown)]);
    }
  }
}

givePushMethods(Emitter.prototype);

/**
 * Makes a worker without a server of its own that pushes to the clients of the servers with the same adapter.
 *
 * @returns the emitter, once its adapter hears the servers
 * @throws TypeError (as a rejection) if there is no adapter, without which there is nobody to push to, or an option that there is not
 *
 * @example
 * await using emitter = await createEmitter<App>({ adapter: createAdapter(redisClient) });
 * await emitter.emitSocket("report_ready", { id: 7 }, user("ada"));
 */
export async function createEmitter<App extends AppServer = Server>(options: EmitterOptions): Promise<Emitter<App>> {
  const { adapter, namespace = "/", log } = options ?? {};
  if (typeof adapter !== "function") {
    throw new TypeError(
      `createEmitter: expected an adapter such as createAdapter(redisClient), got ${describeValue(adapter)}`,
    );
  }
  checkNames("createEmitter", options, ["adapter", "namespace", "log"]);
  const realtime = new WorkerRealtime<App>({ namespace, calls: false, ...(log !== undefined && { log }) });
  // Loaded here and not with the door: who has a server of their own needs none of ours.
  const { Server: SocketIo } = await import("socket.io");
  const io = new SocketIo({ adapter });
  // A server without clients is a server of any application.
  await realtime.setup(io as App);
  await heard(io);
  return new Emitter<App>(io, realtime);
}

/** How long an adapter may take to be heard, and how often it is asked, in milliseconds. */
const HEARD_MS = { most: 5_000, every: 5 };

/**
 * Waits until the adapter hears the others. One that subscribes does so by and by, in the order of its namespaces, and would say until then
 * that nobody else is there: in a namespace that nobody else has, it counts itself once it is subscribed.
 */
async function heard(io: Server): Promise<void> {
  const { adapter } = io.of(`/ingress:${randomUUID()}`);
  const until = performance.now() + HEARD_MS.most;
  try {
    while ((await adapter.serverCount()) < 1 && performance.now() < until) await setTimeout(HEARD_MS.every);
  } catch {
    // Who can't be counted is told of as not complete.
  } finally {
    await adapter.close();
  }
}
