import type { Server, Socket } from "socket.io";
import { tellError } from "../../events/error-telling.js";
import { type Belongings, builtIn, has } from "../../events/managed.js";
import type { AppServer, AppSocket } from "../../events/subscriber.js";
import { Handler } from "../../handler.js";
import { writeLog } from "../../lifecycle/log.js";
import { PLAIN_WEBSOCKET } from "../../wire/transports.js";
import { describeValue, printable } from "../../wire/values.js";
import {
  type Audience,
  topic as topicNamed,
  type TopicContext,
  type TopicDefinition,
  union,
} from "../realtime/index.js";
import { type ChangesOptions, type ReadChangesOptions, readChangesOptions } from "./changes-options.js";
import { Model } from "./model.js";
import { type ModelDefinition, type ReadDefinition, readDefinition, type ReadTopic } from "./model-definition.js";
import { type AnyDefinition, ModelEngine } from "./model-engine.js";
import { ALL, CHANGE, type View, VIEW, type ViewChanged } from "./protocol.js";
import type { Message } from "./publication.js";
import { Transactions } from "./transactions.js";
import { Variants } from "./variants.js";
import { Views } from "./views.js";

/** What is asked to push; its types say what events the application has, and ours are among them only if it says so. */
interface Pushing {
  emitSocket(event: string, data: unknown, target: Audience): Promise<void>;
}

/** The same of a socket. */
interface Emitting {
  emit(event: string, changed: ViewChanged): unknown;
}

/** The parameters of a model's topics: none, or those of a narrower one. */
type Narrowing = Readonly<Partial<Record<"field" | "value", string>>>;

/** Who may read a model. */
type Policy<App extends AppServer> = (context: TopicContext<App>, which: ReadTopic) => unknown;

/** A model, for whoever reads a table of them. */
export interface ModelDescription {
  /** Its name, in lower case. */
  readonly name: string;
  /** The patterns of its topics. */
  readonly topics: readonly string[];
  /** Who decides about reading it: its `mayRead`, or nobody. */
  readonly policy: "public" | "mayRead";
  /** The variants that its `fields` name. */
  readonly variants: readonly string[] | undefined;
  /** For how long what happens to one record is gathered, in milliseconds. */
  readonly coalesceMs: number;
}

/** What a model's name is made of: it is a part of its topics' names. */
const modelName = /^[^\s:/{}]+$/;

/**
 * Records that change: whatever writes to the database, pages follow. It is a handler: register it with a manager, behind the realtime door
 * that it is given.
 *
 * Every change of a model goes to the topic of its name and to the topic `all`, which has the changes of all models, as an event `change`,
 * once to each socket, and is kept there for clients that come back. Models are defined while the application is put together: each
 * defines its topics with the realtime door.
 *
 * A change may be published at any time; before the realtime door is set up and after it was torn down it reaches nobody but watchers.
 *
 * @typeParam App - the `Server<...>` type of the application
 *
 * @example
 * const changes = new Changes<App>({ realtime, variant: ({ user }) => roleOf(user) });
 * const posts = changes.define<Post>("post", {
 *   id: (post) => post.id,
 *   topics: (post) => [`author/${post.authorId}`],
 *   fields: { admin: "*", user: ["id", "title", "authorId"] },
 * });
 * manager.registerHandler(realtime).registerHandler(changes);
 *
 * await changes.transaction(async () => {
 *   posts.updated(await save(post), post);
 * });
 */
export class Changes<App extends AppServer = Server> extends Handler<App> {
  readonly name: string;
  override readonly namespace: string;
  readonly events: object = {};
  /** @internal */
  readonly [builtIn]: true = true;

  readonly #options: ReadChangesOptions<App>;
  readonly #transactions = new Transactions();
  readonly #variants: Variants;
  readonly #views: Views<AppSocket<App>>;
  /** What each of those is who are being let into a topic. */
  readonly #variantOf = new WeakMap<object, string | undefined>();
  readonly #engines = new Map<string, ModelEngine>();
  readonly #models: ModelDescription[] = [];
  /** Who may read which model, where it says so. */
  readonly #policies: Policy<App>[] = [];
  /** By lists of topics that live as long as their models, or no longer than their change. */
  readonly #audiences = new WeakMap<readonly string[], Map<string | undefined, Audience>>();
  /** Whether anybody was let into the topic of all models. */
  #isAllRead = false;

  /** @throws TypeError naming an option that does not fit, or a topic that is defined already */
  constructor(options: ChangesOptions<App>) {
    super();
    this.#options = readChangesOptions(options);
    const { realtime, prefix, variant, variants } = this.#options;
    this.name = prefix === "" ? "changes" : `changes of ${prefix}`;
    this.namespace = realtime.namespace;
    this.#views = new Views((member) => realtime.topicsOf(member));
    const all: string = prefix + ALL;
    realtime.topics.define(
      all,
      this.#topic((context) => this.#mayReadAll(context)),
    );
    this.#variants = new Variants(realtime.cluster(this.name), variant === undefined ? [] : variants);
  }

  /**
   * Defines a model, and its topics: `post` for a model `post`, and `post/{field}/{value}` if it has narrower ones.
   *
   * @param name - in lower case on the wire and in the names of topics, however it is written here
   * @throws TypeError naming what does not fit, or what is taken; nothing is defined then
   * @throws Error if the model says who may read it, and somebody was let into the topic of all models already
   */
  define<Row>(name: string, definition: ModelDefinition<Row, App>): Model<Row> {
    if (typeof name !== "string" || !modelName.test(name))
      throw new TypeError(
        `Changes: a model needs a name without spaces, ":", "/", "{" and "}", such as "post", got ${describeValue(name)}`,
      );
    const model = name.toLowerCase();
    const { prefix, variant } = this.#options;
    if (model === ALL) throw new TypeError(`Changes: "${ALL}" is the topic of all models, and no model's name`);
    if (this.#engines.has(model)) throw new TypeError(`Changes: there is a model "${model}" already`);
    const read = readDefinition(model, definition, variant !== undefined);
    // decision 0046
    if (read.mayRead !== undefined && this.#isAllRead)
      throw new Error(
        `Changes: model "${model}" says who may read it, and somebody is in "${prefix}${ALL}" who was not asked; define it before clients join`,
      );
    this.#defineTopics(`${prefix}${model}`, read.mayRead, read.topics !== undefined);
    this.#variants.name(read.fields?.keys() ?? []);
    if (variant !== undefined && read.fields === undefined && read.serialise === undefined)
      this.log.warn({ model }, "a model without fields and serialise: no variant sees anything of it");
    const engine = new ModelEngine({
      name: model,
      // It is called with what is published as a record of this model, and by the topics of this application.
      definition: read as unknown as AnyDefinition,
      topics: [`${prefix}${model}`, `${prefix}${ALL}`],
      transactions: this.#transactions,
      variants: () => this.#variantsFor(read),
      push: (message, to) => this.#push(message, to, model),
      onError: (error, method) => this.#report(error, `${model}.${method}`),
    });
    this.#engines.set(model, engine);
    const narrower = read.topics === undefined ? [] : [`${prefix}${model}/{field}/{value}`];
    this.#models.push({
      name: model,
      topics: [`${prefix}${model}`, ...narrower],
      policy: read.mayRead === undefined ? "public" : "mayRead",
      variants: read.fields === undefined ? undefined : [...read.fields.keys()],
      coalesceMs: read.coalesceMs,
    });
    if (read.mayRead !== undefined) this.#policies.push(read.mayRead);
    return new Model<Row>(engine);
  }

  /**
   * Runs `fn`, and holds back what is published meanwhile, in it and in whatever it calls: when it has succeeded, all of it is told, in
   * order; if it fails, nothing is. Inside another transaction it is held back by that. Work that nobody awaited publishes as the
   * transaction ended: at once after a commit, never after a failure.
   *
   * It has to end when the transaction of the database has: wrap that whole.
   *
   * @returns what `fn` returned; it rejects with what `fn` threw
   * @throws TypeError at once if it is no function
   *
   * @example
   * await changes.transaction(() => db.transaction().execute(async (trx) => { ... }));
   */
  transaction<T>(fn: () => T | PromiseLike<T>): Promise<Awaited<T>> {
    if (typeof fn !== "function")
      throw new TypeError(`${this.name}: transaction expects a function, got ${describeValue(fn)}`);
    return this.#transactions.run(fn);
  }

  /** @internal */
  [has](): Belongings {
    return { models: this.#models };
  }

  /** Asks the other nodes what they have seen. */
  protected override async onSetup(): Promise<void> {
    await this.#variants.ask();
  }

  /** Tells what is being gathered while the connections are open. */
  protected override onDrain(): void {
    this.#flush();
  }

  /** Tells what was gathered since. */
  protected override onTeardown(): void {
    this.#flush();
  }

  #flush(): void {
    for (const engine of this.#engines.values()) engine.flush();
  }

  /** The model's own topic and its narrower ones: both, or neither. */
  #defineTopics(topic: string, mayRead: Policy<App> | undefined, isNarrowed: boolean): void {
    const { topics } = this.#options.realtime;
    const join =
      mayRead && ((context: TopicContext<App>, { field, value }: Narrowing) => mayRead(context, { field, value }));
    const narrower: string = `${topic}/{field}/{value}`;
    const undo = topics.define(topic, this.#topic(join));
    try {
      if (isNarrowed) topics.define(narrower, this.#topic(join));
    } catch (error) {
      undo();
      throw error;
    }
  }

  #topic(
    join: ((context: TopicContext<App>, params: Narrowing) => unknown) | undefined,
  ): TopicDefinition<App, Narrowing, undefined> {
    const { history, prefix, variant } = this.#options;
    const own: View = prefix === "" ? {} : { prefix };
    return {
      ...(join === undefined ? { public: true } : { join }),
      history,
      anyCase: true,
      ...(prefix !== "" && { snapshot: ({ socket }) => (comesBack(socket) ? own : undefined) }),
      ...(variant !== undefined && {
        variant: async (context) => {
          const found = await this.#variants.see(await variant(context));
          this.#variantOf.set(context, found);
          return found;
        },
        snapshot: (context) => {
          const view = this.#show(context);
          return comesBack(context.socket) ? { ...own, view } : undefined;
        },
        left: ({ socket, topic }) => this.#views.forget(socket, topic),
      }),
    };
  }

  /** Told when the socket is in: at a join, and at the review that follows a login. */
  #show(context: TopicContext<App>): string {
    const { socket, topic } = context;
    const view = this.#variants.viewOf(this.#variantOf.get(context));
    if (this.#views.show(socket, topic, view)) (socket as unknown as Emitting).emit(VIEW, { topic, view });
    return view;
  }

  /** Whoever may read all models as a whole may read the topic of all (decision 0046). */
  async #mayReadAll(context: TopicContext<App>): Promise<boolean> {
    for (const mayRead of this.#policies)
      if ((await mayRead(context, { field: undefined, value: undefined })) === false) return false;
    this.#isAllRead = true;
    return true;
  }

  #variantsFor({
    fields,
    serialise,
  }: Pick<ReadDefinition<never, App>, "fields"> & { readonly serialise: unknown }): readonly (string | undefined)[] {
    if (this.#options.variant === undefined) return [undefined];
    return serialise === undefined ? [...(fields?.keys() ?? [])] : this.#variants.all;
  }

  #push({ event, data, topics }: Message, variant: string | undefined, model: string): void {
    const audience = this.#audienceOf(topics, variant);
    const pushed = (this.#options.realtime as unknown as Pushing).emitSocket(event, data, audience);
    pushed.catch((error: unknown) => this.#report(error, model));
  }

  /** Most changes go to the same topics as the last one of their model. */
  #audienceOf(topics: readonly string[], variant: string | undefined): Audience {
    let audiences = this.#audiences.get(topics);
    if (audiences === undefined) this.#audiences.set(topics, (audiences = new Map()));
    let audience = audiences.get(variant);
    if (audience === undefined)
      audiences.set(variant, (audience = union(...topics.map((name) => topicNamed(name, variant)))));
    return audience;
  }

  /** To the error subscribers, or the log. Never throws. */
  #report(error: unknown, method: string): void {
    const { ingress, namespace } = this;
    if (ingress) return ingress[tellError](error, { event: CHANGE, handler: this.name, method, namespace });
    writeLog(this.log, "error", { err: printable(error), event: CHANGE, method }, "a change could not be published");
  }
}

/** Whether a client may come back with what it has, and so is told its view: a plain one over a WebSocket begins anew (decision 0087). */
function comesBack({ conn }: Pick<Socket, "conn">): boolean {
  return conn.transport.name !== PLAIN_WEBSOCKET;
}
