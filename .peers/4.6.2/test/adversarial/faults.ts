/**
 * What user code does wrong, as plain data: each fault is a function that any server framework can be given as a handler, an
 * interceptor, a connect check, a validator or an error hook. Nothing in here knows which framework that is.
 */

/** Planted in everything that is thrown: a frame that carries it has leaked. */
export const secret = "hunter2-never-on-the-wire";

/** What a contestant lends to a fault, in its own idiom; what it has not got is absent. */
export interface Tools {
  /** Answers the caller by hand. */
  reply?: (value?: unknown) => unknown;
  /** Throws the contestant's own "this error is meant for the caller" error. */
  refuse?: (code: string, message: string, details: unknown) => never;
  /** Does something after the handler has gone on; `settle` of the host waits for it. */
  later: (run: () => void) => void;
  /** Waits, counted as a running call; the `slow/running` command waits for such counts. */
  slowly: (ms: number) => Promise<void>;
  /** Does something after every time limit of the contestant has passed; `settle` waits for that too. */
  tooLate: (run: () => void) => void;
  /** Disconnects the caller. */
  disconnect?: () => void;
  /** The client's first argument. */
  payload?: unknown;
}

/** One misbehaving handler. */
export interface Fault {
  readonly id: string;
  /** Completes "a handler that ...". */
  readonly what: string;
  /** Whether the contestant should write the handler as an `async` one. */
  readonly async: boolean;
  /** What the contestant must be able to lend for the fault to make sense. */
  readonly needs?: "reply" | "refuse";
  /** What the caller must hear, by the promises: a failure of one of these codes, or this value. */
  readonly hears: Hears;
  run(tools: Tools): unknown;
}

/** What an acknowledgement may carry. */
export type Hears =
  | { readonly codes: readonly string[]; readonly message?: string; readonly without?: "details" }
  | { readonly value: unknown }
  /** The caller is gone by then. */
  | { readonly nothing: true }
  | { readonly oneOf: readonly Hears[] };

const internal: Hears = { codes: ["INTERNAL"] };

const boom = (): Error => new Error(secret);

const hostile = (): object => {
  const trap = (): never => {
    throw boom();
  };
  return new Proxy(Object.create(null) as object, {
    get: trap,
    has: trap,
    ownKeys: trap,
    getPrototypeOf: trap,
    getOwnPropertyDescriptor: trap,
    set: trap,
    defineProperty: trap,
    isExtensible: trap,
  });
};

const revoked = (target: object = {}): object => {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
};

const withGetter = (error: Error, key: PropertyKey): Error =>
  Object.defineProperty(error, key, {
    enumerable: true,
    get() {
      throw boom();
    },
  });

const explode = (): never => {
  throw boom();
};

const overflow = (): never => {
  const again = (): number => again() + 1;
  again();
  throw new Error("unreachable");
};

/** Everything a program may throw, with what it is called in a sentence. */
export const thrown: readonly { readonly id: string; readonly what: string; make(): unknown }[] = [
  { id: "error", what: "an Error", make: boom },
  { id: "null", what: "null", make: () => null },
  { id: "undefined", what: "undefined", make: () => undefined },
  { id: "string", what: "a string", make: () => secret },
  { id: "nan", what: "NaN", make: () => Number.NaN },
  { id: "false", what: "false", make: () => false },
  { id: "symbol", what: "a Symbol", make: () => Symbol(secret) },
  { id: "bigint", what: "a BigInt", make: () => 7n },
  { id: "function", what: "a function", make: () => () => secret },
  {
    id: "object",
    what: "an object with no prototype",
    make: () => Object.assign(Object.create(null) as object, { secret }),
  },
  { id: "array", what: "an array", make: () => [secret] },
  { id: "frozen", what: "a frozen Error", make: () => Object.freeze(boom()) },
  { id: "revoked", what: "a revoked proxy", make: () => revoked() },
  { id: "revoked-error", what: "a revoked proxy of an Error", make: () => revoked(boom()) },
  { id: "hostile", what: "a proxy whose every trap throws", make: hostile },
  { id: "message-getter", what: "an Error whose message throws", make: () => withGetter(new Error(), "message") },
  { id: "stack-getter", what: "an Error whose stack throws", make: () => withGetter(boom(), "stack") },
  { id: "code-getter", what: "an Error whose code throws", make: () => withGetter(boom(), "code") },
  { id: "name-getter", what: "an Error whose name throws", make: () => withGetter(boom(), "name") },
  { id: "cause-getter", what: "an Error whose cause throws", make: () => withGetter(boom(), "cause") },
  { id: "then-getter", what: "an Error whose then throws", make: () => withGetter(boom(), "then") },
  {
    id: "primitive",
    what: "an object that can't be made a string",
    make: () => ({
      [Symbol.toPrimitive]() {
        throw boom();
      },
    }),
  },
  {
    id: "tag-getter",
    what: "an object whose toStringTag throws",
    make: () =>
      Object.defineProperty({}, Symbol.toStringTag, {
        get() {
          throw boom();
        },
      }),
  },
  {
    id: "to-json",
    what: "an Error whose toJSON throws",
    make: () =>
      Object.assign(boom(), {
        toJSON() {
          throw boom();
        },
      }),
  },
  {
    id: "circular-cause",
    what: "an Error that is its own cause",
    make: () => {
      const error = boom();
      error.cause = error;
      return error;
    },
  },
  {
    id: "bare-error",
    what: "an Error stripped of its prototype",
    make: () => Object.setPrototypeOf(boom(), null) as object,
  },
  { id: "aggregate", what: "an AggregateError", make: () => new AggregateError([boom(), null, revoked()], secret) },
  { id: "abort", what: "an AbortError", make: () => new DOMException(secret, "AbortError") },
  { id: "long", what: "an Error with a megabyte of message", make: () => new Error(secret.repeat(40_000)) },
  {
    id: "coded",
    what: "an Error with a string code",
    make: () => Object.assign(boom(), { code: "ENOENT", path: "/etc/passwd" }),
  },
  {
    id: "lookalike",
    what: "an object that only looks like an EventError",
    make: () => ({ name: "EventError", code: "FORBIDDEN", message: secret, details: { secret } }),
  },
  {
    id: "failure-shaped",
    what: "an object in the shape of a failure",
    make: () => ({ error: { code: "FORBIDDEN", message: secret } }),
  },
  {
    id: "thenable",
    what: "a thenable that rejects",
    make: () => ({
      then(_resolve: unknown, reject: (reason: unknown) => void) {
        reject(boom());
      },
    }),
  },
  { id: "rejected", what: "a promise that is rejected already", make: () => Promise.reject(boom()) },
];

/** Everything a program may answer with that an encoder chokes on, or nearly. */
export const replies: readonly {
  readonly id: string;
  readonly what: string;
  readonly hears: Hears;
  make(): unknown;
}[] = [
  {
    id: "circular",
    what: "a circular object",
    hears: internal,
    make: () => {
      const circle: Record<string, unknown> = { secret: 1 };
      circle["self"] = circle;
      return circle;
    },
  },
  { id: "bigint", what: "a BigInt", hears: internal, make: () => 1n },
  { id: "nested-bigint", what: "a BigInt deep inside", hears: internal, make: () => ({ a: [{ b: 1n }] }) },
  {
    id: "getter",
    what: "an object with a throwing getter",
    hears: internal,
    make: () => Object.defineProperty({}, "x", { enumerable: true, get: () => explode() }),
  },
  { id: "deep-array", what: "arrays 5,000 deep", hears: internal, make: () => deepArray(5_000) },
  { id: "deeper-array", what: "arrays 100,000 deep", hears: internal, make: () => deepArray(100_000) },
  { id: "deep-object", what: "objects 20,000 deep", hears: internal, make: () => deepObject(20_000) },
  {
    id: "endless",
    what: "an object that is deeper each time one looks",
    hears: internal,
    make: () => {
      const endless = (): object => Object.defineProperty({}, "next", { enumerable: true, get: endless });
      return endless();
    },
  },
  {
    id: "function",
    what: "a function",
    hears: { oneOf: [internal, { value: null }, { value: undefined }] },
    make: () => () => secret,
  },
  {
    id: "symbol",
    what: "a Symbol",
    hears: { oneOf: [internal, { value: null }, { value: undefined }] },
    make: () => Symbol(secret),
  },
  { id: "revoked", what: "a revoked proxy", hears: internal, make: () => revoked() },
  { id: "hostile", what: "a proxy whose every trap throws", hears: internal, make: hostile },
  {
    id: "to-json-throws",
    what: "an object whose toJSON throws",
    hears: internal,
    make: () => ({
      toJSON() {
        throw boom();
      },
    }),
  },
  {
    id: "to-json-circular",
    what: "an object whose toJSON is circular",
    hears: internal,
    make: () => ({
      toJSON() {
        const circle: unknown[] = [];
        circle.push(circle);
        return circle;
      },
    }),
  },
  {
    id: "to-json-bigint",
    what: "an object whose toJSON is a BigInt",
    hears: internal,
    make: () => ({ toJSON: () => 1n }),
  },
  {
    id: "circular-binary",
    what: "a circular object with a buffer in it",
    hears: internal,
    make: () => {
      const circle: Record<string, unknown> = { data: Buffer.from("x") };
      circle["self"] = circle;
      return circle;
    },
  },
  {
    id: "changing",
    what: "an object that turns bad after the first look",
    hears: { oneOf: [internal, { value: { x: 1 } }] },
    make: () => {
      let looks = 0;
      return Object.defineProperty({}, "x", {
        enumerable: true,
        get: () => {
          if (++looks > 1) throw boom();
          return 1;
        },
      });
    },
  },
  {
    id: "throwing-array",
    what: "an array with a throwing element",
    hears: internal,
    make: () => Object.defineProperty([1], 1, { enumerable: true, get: () => explode() }),
  },
  { id: "error", what: "an Error as a value", hears: { oneOf: [{ value: {} }, internal] }, make: boom },
  { id: "nan", what: "NaN", hears: { value: null }, make: () => Number.NaN },
  {
    id: "date",
    what: "an invalid Date",
    hears: { oneOf: [{ value: null }, internal] },
    make: () => new Date(Number.NaN),
  },
  { id: "null", what: "null", hears: { value: null }, make: () => null },
  { id: "false", what: "false", hears: { value: false }, make: () => false },
  { id: "empty", what: "an empty string", hears: { value: "" }, make: () => "" },
  { id: "map", what: "a Map", hears: { value: {} }, make: () => new Map([["secret", secret]]) },
  {
    id: "surrogate",
    what: "a lone surrogate",
    hears: { oneOf: [{ value: "\ud800" }, { value: "\ufffd" }] },
    make: () => "\ud800",
  },
  {
    id: "long",
    what: "two megabytes of text",
    hears: { value: "x".repeat(2_000_000) },
    make: () => "x".repeat(2_000_000),
  },
];

export function deepArray(depth: number): unknown {
  let deep: unknown = [];
  for (let level = 1; level < depth; level++) deep = [deep];
  return deep;
}

export function deepObject(depth: number): unknown {
  let deep: unknown = {};
  for (let level = 1; level < depth; level++) deep = { a: deep };
  return deep;
}

type Settle = (value?: unknown) => void;

const thenable = (then: (resolve: Settle, reject: Settle) => void): object => ({ then });

const thenables: readonly (Omit<Fault, "async" | "id"> & { readonly id: string })[] = [
  {
    id: "then-rejects-late",
    what: "returns a thenable that rejects later",
    hears: internal,
    run: ({ later }) => thenable((_resolve, reject) => later(() => reject(boom()))),
  },
  {
    id: "then-throws",
    what: "returns a thenable whose then throws",
    hears: internal,
    run: () =>
      thenable(() => {
        throw boom();
      }),
  },
  {
    id: "then-getter",
    what: "returns an object whose then can't be read",
    hears: internal,
    run: () => Object.defineProperty({}, "then", { get: () => explode() }),
  },
  {
    id: "then-resolves-twice",
    what: "returns a thenable that resolves twice",
    hears: { value: 1 },
    run: ({ later }) =>
      thenable((resolve) => {
        resolve(1);
        resolve(2);
        later(() => resolve(3));
      }),
  },
  {
    id: "then-resolves-and-throws",
    what: "returns a thenable that resolves and then throws",
    hears: { value: 1 },
    run: () =>
      thenable((resolve) => {
        resolve(1);
        throw boom();
      }),
  },
  {
    id: "then-resolves-and-rejects",
    what: "returns a thenable that resolves and then rejects",
    hears: { value: 1 },
    run: () =>
      thenable((resolve, reject) => {
        resolve(1);
        reject(boom());
      }),
  },
  {
    id: "then-rejects-twice",
    what: "returns a thenable that rejects twice",
    hears: internal,
    run: ({ later }) =>
      thenable((_resolve, reject) => {
        reject(boom());
        later(() => reject(boom()));
      }),
  },
  {
    id: "then-nested",
    what: "returns a thenable of a thenable that rejects",
    hears: internal,
    run: () => thenable((resolve) => resolve(thenable((_resolve, reject) => reject(boom())))),
  },
  {
    id: "never",
    what: "returns a promise that never settles",
    hears: { codes: ["TIMEOUT"] },
    run: () => new Promise(() => undefined),
  },
  {
    id: "then-never",
    what: "returns a thenable that never settles",
    hears: { codes: ["TIMEOUT"] },
    run: () => thenable(() => undefined),
  },
  {
    id: "late-value",
    what: "resolves after its time is up",
    hears: { codes: ["TIMEOUT"] },
    run: ({ tooLate }) => new Promise((resolve) => tooLate(() => resolve("late"))),
  },
  {
    id: "late-rejection",
    what: "rejects after its time is up",
    hears: { codes: ["TIMEOUT"] },
    run: ({ tooLate }) => new Promise((_resolve, reject) => tooLate(() => reject(boom()))),
  },
];

const byHand: readonly Fault[] = [
  {
    id: "reply-twice",
    what: "answers twice",
    async: false,
    needs: "reply",
    hears: { value: 1 },
    run: ({ reply }) => {
      reply?.(1);
      reply?.(2);
    },
  },
  {
    id: "reply-then-throw",
    what: "answers and then throws",
    async: false,
    needs: "reply",
    hears: { value: 1 },
    run: ({ reply }) => {
      reply?.(1);
      throw boom();
    },
  },
  {
    id: "reply-then-reject",
    what: "answers and then rejects",
    async: true,
    needs: "reply",
    hears: { value: 1 },
    run: ({ reply, later }) => {
      reply?.(1);
      return new Promise((_resolve, reject) => later(() => reject(boom())));
    },
  },
  {
    id: "reply-then-return",
    what: "answers and then returns something else",
    async: false,
    needs: "reply",
    hears: { value: 1 },
    run: ({ reply }) => {
      reply?.(1);
      return 2;
    },
  },
  {
    id: "reply-circular",
    what: "answers by hand with a circular object",
    async: false,
    needs: "reply",
    hears: internal,
    run: ({ reply }) => {
      const circle: unknown[] = [];
      circle.push(circle);
      reply?.(circle);
    },
  },
  {
    id: "reply-bad-then-good",
    what: "answers by hand with a BigInt and then with a value",
    async: false,
    needs: "reply",
    hears: { oneOf: [internal, { value: 2 }] },
    run: ({ reply }) => {
      try {
        reply?.(1n);
      } catch {
        // A server that throws here lets the handler try again.
      }
      reply?.(2);
    },
  },
  {
    id: "reply-after-the-end",
    what: "answers by hand long after it returned",
    async: false,
    needs: "reply",
    hears: { oneOf: [{ value: undefined }, { value: null }, { value: "late" }] },
    run: ({ reply, later }) => {
      later(() => reply?.("late"));
    },
  },
  {
    id: "reply-hostile",
    what: "answers by hand with a proxy whose every trap throws",
    async: false,
    needs: "reply",
    hears: internal,
    run: ({ reply }) => {
      reply?.(hostile());
    },
  },
  {
    id: "disconnect-then-return",
    what: "disconnects the caller and returns",
    async: false,
    hears: { nothing: true },
    run: ({ disconnect }) => {
      disconnect?.();
      return "gone";
    },
  },
  {
    id: "disconnect-then-throw",
    what: "disconnects the caller and throws",
    async: false,
    hears: { nothing: true },
    run: ({ disconnect }) => {
      disconnect?.();
      throw boom();
    },
  },
  {
    id: "destructure",
    what: "takes its payload apart without looking",
    async: false,
    hears: internal,
    run: ({ payload }) => {
      const { user } = payload as { user: { name: string } };
      return user.name;
    },
  },
  { id: "overflow", what: "calls itself without end", async: false, hears: internal, run: overflow },
  {
    id: "slow-reject",
    what: "takes its time and then rejects",
    async: true,
    hears: internal,
    run: async ({ slowly }) => {
      await slowly(60);
      throw boom();
    },
  },
  {
    id: "parse",
    what: "parses what is no JSON",
    async: true,
    hears: internal,
    run: () => JSON.parse(`{"${secret}`) as unknown,
  },
];

const details: readonly { readonly id: string; readonly what: string; make(): unknown }[] = [
  {
    id: "circular",
    what: "circular details",
    make: () => {
      const circle: Record<string, unknown> = {};
      circle["self"] = circle;
      return circle;
    },
  },
  { id: "bigint", what: "a BigInt in its details", make: () => ({ n: 1n }) },
  {
    id: "getter",
    what: "details with a throwing getter",
    make: () => Object.defineProperty({}, "x", { enumerable: true, get: () => explode() }),
  },
  { id: "deep", what: "details 20,000 deep", make: () => deepArray(20_000) },
  { id: "revoked", what: "a revoked proxy for details", make: () => revoked() },
  { id: "hostile", what: "a hostile proxy for details", make: hostile },
  {
    id: "to-json",
    what: "details whose toJSON throws",
    make: () => ({
      toJSON() {
        throw boom();
      },
    }),
  },
];

/** Every misbehaving handler. */
export const faults: readonly Fault[] = [
  ...thrown.flatMap(({ id, what, make }): Fault[] => [
    {
      id: `throw-${id}`,
      what: `throws ${what}`,
      async: false,
      hears: internal,
      run: () => {
        throw make();
      },
    },
    { id: `reject-${id}`, what: `rejects with ${what}`, async: true, hears: internal, run: () => rejection(make()) },
  ]),
  ...replies.flatMap(({ id, what, hears, make }): Fault[] => [
    { id: `return-${id}`, what: `returns ${what}`, async: false, hears, run: make },
    { id: `resolve-${id}`, what: `resolves to ${what}`, async: true, hears, run: make },
  ]),
  ...thenables.map((fault): Fault => ({ ...fault, id: `thenable-${fault.id}`, async: false })),
  ...byHand,
  ...details.map(({ id, what, make }): Fault => ({
    id: `refuse-${id}`,
    what: `refuses with ${what}`,
    async: false,
    needs: "refuse",
    hears: { codes: ["OUT_OF_STOCK"], message: "come back tomorrow", without: "details" },
    run: ({ refuse }) => refuse?.("OUT_OF_STOCK", "come back tomorrow", make()),
  })),
];

/** A rejection with exactly this reason, even if it is a thenable. */
function rejection(reason: unknown): Promise<never> {
  return new Promise((_resolve, reject) => reject(reason));
}

/** One misbehaving interceptor. */
export interface InterceptorFault {
  readonly id: string;
  /** Completes "an interceptor that ...". */
  readonly what: string;
  readonly hears: Hears;
  /** What the handler inside does; it answers "inside" otherwise. */
  readonly inside?: () => unknown;
  run(next: () => unknown, tools: Tools): unknown;
}

export const interceptorFaults: readonly InterceptorFault[] = [
  {
    id: "next-twice",
    what: "goes on twice",
    hears: internal,
    run: async (next) => {
      await next();
      return next();
    },
  },
  {
    id: "next-twice-at-once",
    what: "goes on twice at once",
    hears: internal,
    run: (next) => {
      const both = [next(), next()];
      return Promise.all(both).then(([first]) => first);
    },
  },
  {
    id: "never-next",
    what: "never goes on",
    hears: { oneOf: [{ value: undefined }, { value: null }] },
    run: () => undefined,
  },
  {
    id: "never-settles",
    what: "never settles",
    hears: { codes: ["TIMEOUT"] },
    run: () => new Promise(() => undefined),
  },
  {
    id: "throws-before",
    what: "throws before it goes on",
    hears: internal,
    run: () => {
      throw boom();
    },
  },
  {
    id: "throws-after",
    what: "throws after it went on",
    hears: internal,
    run: async (next) => {
      await next();
      throw boom();
    },
  },
  {
    id: "throws-null",
    what: "throws null",
    hears: internal,
    run: () => {
      throw null;
    },
  },
  {
    id: "throws-revoked",
    what: "throws a revoked proxy",
    hears: internal,
    run: () => {
      throw revoked();
    },
  },
  {
    id: "forgets-rejection",
    what: "does not wait for a handler that rejects",
    hears: { oneOf: [internal, { value: "early" }] },
    inside: () => rejection(boom()),
    run: (next) => {
      void next();
      return "early";
    },
  },
  {
    id: "throws-beside-rejection",
    what: "throws while a handler it does not wait for rejects",
    hears: internal,
    inside: () => rejection(boom()),
    run: (next) => {
      void next();
      throw boom();
    },
  },
  {
    id: "circular",
    what: "replaces the answer by a circular object",
    hears: internal,
    run: async (next) => {
      const circle: unknown[] = [await next()];
      circle.push(circle);
      return circle;
    },
  },
  {
    id: "late-next",
    what: "goes on after it has returned",
    hears: { oneOf: [internal, { value: "early" }, { value: "inside" }] },
    run: (next, { later }) => {
      later(() => {
        try {
          void Promise.resolve(next()).catch(() => undefined);
        } catch {
          // Being told that it is too late is fine.
        }
      });
      return "early";
    },
  },
  {
    id: "hostile-thenable",
    what: "returns a thenable whose then throws",
    hears: internal,
    run: () => ({
      then() {
        throw boom();
      },
    }),
  },
];

/** One connect check that goes wrong; the namespace is `/connect-<id>`. */
export interface ConnectFault {
  readonly id: string;
  /** Completes "a connect check that ...". */
  readonly what: string;
  /** Whether a client may be let in, or must hear a refusal. */
  readonly outcome: "refused" | "admitted";
  readonly code?: string;
  readonly needs?: "refuse";
  run(tools: Tools): unknown;
}

export const connectFaults: readonly ConnectFault[] = [
  ...thrown
    .filter(({ id }) =>
      [
        "error",
        "null",
        "undefined",
        "string",
        "frozen",
        "revoked",
        "hostile",
        "message-getter",
        "symbol",
        "lookalike",
      ].includes(id),
    )
    .map(({ id, what, make }): ConnectFault => ({
      id: `throws-${id}`,
      what: `throws ${what}`,
      outcome: "refused",
      run: () => {
        throw make();
      },
    })),
  { id: "rejects", what: "rejects with an Error", outcome: "refused", run: () => rejection(boom()) },
  { id: "rejects-null", what: "rejects with null", outcome: "refused", run: () => rejection(null) },
  { id: "returns-false", what: "returns false", outcome: "refused", run: () => false },
  { id: "resolves-false", what: "resolves to false", outcome: "refused", run: () => Promise.resolve(false) },
  { id: "never", what: "never settles", outcome: "refused", run: () => new Promise(() => undefined) },
  {
    id: "thenable-throws",
    what: "returns a thenable whose then throws",
    outcome: "refused",
    run: () =>
      thenable(() => {
        throw boom();
      }),
  },
  {
    id: "returns-circular",
    what: "says yes with a circular object",
    outcome: "admitted",
    run: () => replies[0]?.make(),
  },
  ...details
    .filter(({ id }) => ["circular", "bigint", "getter", "revoked"].includes(id))
    .map(({ id, what, make }): ConnectFault => ({
      id: `refuses-${id}`,
      what: `refuses with ${what}`,
      outcome: "refused",
      code: "OUT_OF_STOCK",
      needs: "refuse",
      run: ({ refuse }) => refuse?.("OUT_OF_STOCK", "come back tomorrow", make()),
    })),
];

/** A connect check that says yes in its own time; the namespace is `/connect-slow`. */
export const slowConnect = async ({ slowly }: Pick<Tools, "slowly">): Promise<void> => slowly(60);

/** One `connection` listener (told, not asked) that goes wrong; the namespace is `/connection-<id>`. */
export const connectionFaults: readonly ConnectFault[] = [
  {
    id: "throws",
    what: "throws",
    outcome: "admitted",
    run: () => {
      throw boom();
    },
  },
  { id: "rejects", what: "rejects", outcome: "admitted", run: () => rejection(boom()) },
  {
    id: "throws-revoked",
    what: "throws a revoked proxy",
    outcome: "admitted",
    run: () => {
      throw revoked();
    },
  },
  { id: "never", what: "never settles", outcome: "admitted", run: () => new Promise(() => undefined) },
];

/** One `disconnect` listener that goes wrong; the namespace is `/disconnect-<id>`. */
export const disconnectFaults: readonly Omit<ConnectFault, "outcome">[] = [
  {
    id: "throws",
    what: "throws",
    run: () => {
      throw boom();
    },
  },
  { id: "rejects", what: "rejects", run: () => rejection(boom()) },
  { id: "never", what: "never settles", run: () => new Promise(() => undefined) },
  {
    id: "throws-revoked",
    what: "throws a revoked proxy",
    run: () => {
      throw revoked();
    },
  },
];

/** One validator that goes wrong; what it is given is ignored. */
export interface SchemaFault {
  readonly id: string;
  /** Completes "an input schema that ...". */
  readonly what: string;
  readonly hears: Hears;
  /** Returns what a Standard Schema's `validate` returns. */
  validate(value: unknown, tools: Tools): unknown;
}

export const schemaFaults: readonly SchemaFault[] = [
  {
    id: "throws",
    what: "throws",
    hears: internal,
    validate: () => {
      throw boom();
    },
  },
  {
    id: "throws-null",
    what: "throws null",
    hears: internal,
    validate: () => {
      throw null;
    },
  },
  {
    id: "throws-revoked",
    what: "throws a revoked proxy",
    hears: internal,
    validate: () => {
      throw revoked();
    },
  },
  { id: "rejects", what: "rejects", hears: internal, validate: () => rejection(boom()) },
  {
    id: "rejects-late",
    what: "rejects later",
    hears: internal,
    validate: (_value, { later }) => new Promise((_r, reject) => later(() => reject(boom()))),
  },
  { id: "never", what: "never settles", hears: { codes: ["TIMEOUT"] }, validate: () => new Promise(() => undefined) },
  {
    id: "async-valid",
    what: "says yes later",
    hears: { value: "parsed" },
    validate: () => Promise.resolve({ value: "parsed" }),
  },
  {
    id: "async-invalid",
    what: "says no later",
    hears: { codes: ["INVALID_INPUT"] },
    validate: () => Promise.resolve({ issues: [{ message: "not so", path: ["a", 0] }] }),
  },
  {
    id: "returns-nothing",
    what: "returns nothing",
    hears: { codes: ["INTERNAL", "INVALID_INPUT"] },
    validate: () => undefined,
  },
  { id: "returns-null", what: "returns null", hears: { codes: ["INTERNAL", "INVALID_INPUT"] }, validate: () => null },
  {
    id: "bad-issues",
    what: "calls something else than a list its issues",
    hears: { codes: ["INTERNAL", "INVALID_INPUT"] },
    validate: () => ({ issues: "no list" }),
  },
  {
    id: "hostile-issues",
    what: "has an issue whose path throws",
    hears: { codes: ["INTERNAL", "INVALID_INPUT"] },
    validate: () => ({
      issues: [Object.defineProperty({ message: "no" }, "path", { enumerable: true, get: () => explode() })],
    }),
  },
  {
    id: "symbol-issues",
    what: "has Symbols and objects in the path of its issue",
    hears: { codes: ["INTERNAL", "INVALID_INPUT"] },
    validate: () => ({ issues: [{ message: "no", path: [Symbol("s"), { key: "k" }, { key: Symbol("t") }, 1n] }] }),
  },
  {
    id: "many-issues",
    what: "has ten thousand issues",
    hears: { codes: ["INVALID_INPUT"] },
    validate: () => ({ issues: Array.from({ length: 10_000 }, (_, index) => ({ message: "no", path: [index] })) }),
  },
  {
    id: "thenable",
    what: "returns a thenable whose then throws",
    hears: { codes: ["INTERNAL"] },
    validate: () => ({
      then() {
        throw boom();
      },
    }),
  },
];

/** What an error subscriber (an exception filter, an error hook) does when it is told of the error. */
export const errorHookFaults: readonly { readonly id: string; readonly what: string; run(tools: Tools): unknown }[] = [
  {
    id: "throws",
    what: "throws",
    run: () => {
      throw boom();
    },
  },
  {
    id: "throws-null",
    what: "throws null",
    run: () => {
      throw null;
    },
  },
  {
    id: "throws-revoked",
    what: "throws a revoked proxy",
    run: () => {
      throw revoked();
    },
  },
  { id: "rejects", what: "rejects", run: () => rejection(boom()) },
  {
    id: "rejects-late",
    what: "rejects later",
    run: ({ later }) => new Promise((_r, reject) => later(() => reject(boom()))),
  },
  { id: "never", what: "never settles", run: () => new Promise(() => undefined) },
  {
    id: "thenable-throws",
    what: "returns a thenable whose then throws",
    run: () => ({
      then() {
        throw boom();
      },
    }),
  },
];
