import { NoAnswer, RawClient, type RawAdmission } from "../fixtures/raw-client.js";
import type { Contestant } from "./contestant.js";
import { secret, type Hears } from "./faults.js";
import type { Ability } from "./host.js";

/** What became of one event that asked for an acknowledgement, or of one CONNECT. */
export interface Outcome {
  readonly what: string;
  readonly answered: boolean;
  /** What the promises let the caller hear; asserted for `socket-ingress` only. */
  readonly hears: Hears | undefined;
  /** The acknowledgement's arguments. */
  readonly args?: readonly unknown[];
  readonly tookMs: number;
}

export interface CallOptions {
  readonly client?: RawClient;
  readonly hears?: Hears;
  readonly deadlineMs?: number;
}

/** How long it is waited at most for an answer that nobody has to give, in milliseconds. */
const SILENCE_MS = 1_000;

/** What must not be in any frame: the planted secret, stacks, paths, and the run time's own error messages. */
const leaks: readonly RegExp[] = [
  new RegExp(secret),
  /\\n {4}at |\n {4}at /,
  /node_modules|node:internal|file:\/\//,
  new RegExp(escape(process.cwd())),
  /\.[cm]?[jt]s:\d+/,
  /TypeError|RangeError|ReferenceError|SyntaxError/,
  /Cannot (read|destructure|perform|convert)|is not (a function|iterable|defined)|Maximum call stack|circular structure|serialize a BigInt|has been revoked|Unexpected (token|end)|Unterminated string/,
];

/** The first thing in these frames that should not have left the server. */
export function leakIn(frames: readonly string[]): string | undefined {
  for (const frame of frames) {
    for (const leak of leaks) {
      const found = leak.exec(frame);
      if (found) return frame.slice(Math.max(0, found.index - 60), found.index + 140);
    }
  }
  return undefined;
}

/** Where one scenario is played: clients to send with, a server to command, and a record of what was answered. */
export class Stage implements AsyncDisposable {
  readonly server: Contestant;
  readonly outcomes: Outcome[] = [];
  /** Things that went against the scenario beside unanswered calls; asserted for `socket-ingress` only. */
  readonly complaints: string[] = [];
  readonly deadlineMs: number;
  /** When the server was first told to shut down, if it was. */
  shutdown: { readonly at: number; readonly graceMs: number } | undefined;
  readonly #clients: RawClient[] = [];
  #frames: string[] = [];

  constructor(server: Contestant, deadlineMs: number) {
    this.server = server;
    this.deadlineMs = deadlineMs;
  }

  can(ability: Ability): boolean {
    return this.server.ready.abilities.includes(ability);
  }

  /** A transport that has joined nothing yet. */
  async open(): Promise<RawClient> {
    const client = await RawClient.open(this.server.url, { deadlineMs: this.deadlineMs });
    this.#clients.push(client);
    return client;
  }

  /** A client in the main namespace. */
  async client(): Promise<RawClient> {
    const client = await this.open();
    await client.connect();
    return client;
  }

  /** Every frame any client of this scenario has received. */
  get frames(): readonly string[] {
    return this.#clients.flatMap(({ frames }) => frames).concat(this.#frames);
  }

  /** Calls a service of the contestant in its own dialect and records what came back. */
  async call(event: string, payload: unknown, options: CallOptions = {}): Promise<Outcome> {
    const client = options.client ?? (await this.client());
    return this.raw(client, this.dialect(event, payload), { ...options, what: event });
  }

  /** What a call of one of the contestant's own services looks like on the wire. */
  dialect(event: string, payload: unknown): unknown[] {
    return this.server.ready.dialect === "feathers"
      ? ["create", event.replaceAll(":", "-"), payload]
      : [event, payload];
  }

  /** Sends an event exactly as given, with an acknowledgement, and records what came back. */
  raw(
    client: RawClient,
    args: unknown,
    options: Omit<CallOptions, "client"> & { what: string; namespace?: string; id?: number | string },
  ): Promise<Outcome> {
    const id = options.id ?? client.freshId();
    client.send(id, args, options.namespace);
    return this.expect(client, id, options);
  }

  /** Records what comes back for an id that was sent by hand. */
  async expect(
    client: RawClient,
    id: number | string,
    options: Omit<CallOptions, "client"> & { what: string; namespace?: string; count?: number },
  ): Promise<Outcome> {
    const started = performance.now();
    const isSilent = options.hears !== undefined && "nothing" in options.hears;
    const record = (answered: boolean, args?: readonly unknown[]): Outcome => {
      const outcome: Outcome = {
        what: options.what,
        answered,
        hears: options.hears,
        tookMs: performance.now() - started,
        ...(args && { args: this.#value(args) }),
      };
      this.outcomes.push(outcome);
      return outcome;
    };
    try {
      return record(
        true,
        await client.reply(id, {
          deadlineMs: options.deadlineMs ?? (isSilent ? Math.min(this.deadlineMs, SILENCE_MS) : this.deadlineMs),
          ...(options.namespace !== undefined && { namespace: options.namespace }),
          ...(options.count !== undefined && { count: options.count }),
        }),
      );
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      return record(isSilent);
    }
  }

  /** An event the server may answer or answer by closing the connection: a frame no client of good will sends. */
  async answeredOrClosed(client: RawClient, id: number | string, what: string, namespace = "/"): Promise<void> {
    const started = performance.now();
    const done = (): boolean => client.isClosed || client.repliesTo(id, namespace).length > 0;
    await client.until(done, what).catch(() => undefined);
    this.outcomes.push({ what, answered: done(), hears: undefined, tookMs: performance.now() - started });
  }

  /** Records whether the server closes a connection that sent garbage, or goes on serving it. */
  async closedOrServed(client: RawClient, what: string): Promise<void> {
    const id = client.freshId();
    client.send(id, this.dialect("honest", 1));
    await this.answeredOrClosed(client, id, what);
  }

  /** Asks for a namespace and records whether an answer came. */
  async admit(namespace: string, auth?: unknown): Promise<{ client: RawClient; admission: RawAdmission | undefined }> {
    const client = await this.open();
    const started = performance.now();
    const admission = await client.connect(namespace, auth).catch((error: unknown) => {
      if (error instanceof NoAnswer) return undefined;
      throw error;
    });
    this.outcomes.push({
      what: `CONNECT ${namespace}`,
      answered: admission !== undefined,
      hears: undefined,
      tookMs: performance.now() - started,
    });
    return { client, admission };
  }

  /** Has the server do something. */
  async command<Result = unknown>(name: string, argument?: unknown): Promise<Result> {
    if (name === "shutdown")
      this.shutdown ??= { at: performance.now(), graceMs: (argument as { graceMs: number }).graceMs };
    return this.server.command<Result>(name, argument);
  }

  /** Says that something is not as promised. */
  complain(unless: boolean, complaint: string): void {
    if (!unless) this.complaints.push(complaint);
  }

  /** An honest call by a new client: whether it was answered as it should be. */
  async honest(): Promise<boolean> {
    const client = await RawClient.open(this.server.url, { deadlineMs: this.deadlineMs }).catch(() => undefined);
    if (!client) return false;
    try {
      const admission = await client.connect();
      if (!admission.admitted) return false;
      const args = this.#value(await client.call(this.dialect("honest", 41)));
      this.#frames = this.#frames.concat(client.frames);
      return JSON.stringify(args[0]) === '{"ok":42}';
    } catch (error) {
      if (error instanceof NoAnswer) return false;
      throw error;
    } finally {
      await client[Symbol.asyncDispose]();
    }
  }

  /** Feathers answers error-first; everybody else with the value. */
  #value(args: readonly unknown[]): readonly unknown[] {
    if (this.server.ready.dialect !== "feathers") return args;
    return args[0] ? [args[0]] : args.slice(1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map((client) => client[Symbol.asyncDispose]()));
  }
}

/** Why what was heard is not what may be heard, or nothing if it is. */
export function mishearing(args: readonly unknown[], hears: Hears): string | undefined {
  if ("nothing" in hears) return undefined;
  if ("oneOf" in hears) {
    const all = hears.oneOf.map((one) => mishearing(args, one));
    return all.includes(undefined) ? undefined : all.join("; or ");
  }
  if (args.length > 1) return `expected one argument, heard ${show(args)}`;
  const [heard] = args;
  if ("value" in hears) {
    // On the wire nothing at all and `null` are two ways to say `undefined`.
    const same = hears.value === undefined ? heard === undefined || heard === null : show(heard) === show(hears.value);
    return same ? undefined : `expected the value ${show(hears.value)}, heard ${show(heard)}`;
  }
  const error = (heard as { error?: { code?: unknown; message?: unknown } } | undefined | null)?.error;
  if (typeof error?.code !== "string" || !hears.codes.includes(error.code)) {
    return `expected a failure with ${hears.codes.join(" or ")}, heard ${show(heard)}`;
  }
  if (typeof error.message !== "string") return `expected a failure with a message, heard ${show(heard)}`;
  const extra = Object.keys(heard as object)
    .concat(Object.keys(error))
    .filter((key) => !["error", "code", "message", "details"].includes(key));
  if (extra.length > 0) return `a failure carries ${extra.join(", ")} too: ${show(heard)}`;
  if (hears.message !== undefined && error.message !== hears.message) {
    return `expected the message ${show(hears.message)}, heard ${show(heard)}`;
  }
  if (hears.without === "details" && "details" in error) return `expected no details, heard ${show(heard)}`;
  return undefined;
}

function show(value: unknown): string {
  let text: string;
  try {
    text = JSON.stringify(value) ?? "undefined";
  } catch {
    return "something too deep to show";
  }
  return text.length > 300 ? `${text.slice(0, 300)}… (${text.length} characters)` : text;
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
