import type { RawClient } from "../fixtures/raw-client.js";
import {
  connectFaults,
  connectionFaults,
  disconnectFaults,
  errorHookFaults,
  faults,
  interceptorFaults,
  schemaFaults,
  type Hears,
} from "./faults.js";
import { timeLimitMs, type Ability } from "./host.js";
import type { Outcome, Stage } from "./stage.js";

/** One thing that goes wrong, told in a sentence and played against any server. */
export interface Scenario {
  readonly id: string;
  readonly sentence: string;
  /** What the server must be able to express for this to be played at all. */
  readonly needs: readonly Ability[];
  /** Played against a process of its own, which is shut down and has to end by itself within its grace period. */
  readonly ends?: true;
  play(stage: Stage): Promise<void>;
}

function hearsInWords(hears: Hears): string {
  if ("codes" in hears) return `the caller hears ${hears.codes.join(" or ")}`;
  if ("value" in hears) return "the caller hears the value";
  if ("nothing" in hears) return "nobody is left to hear of it";
  return "the caller gets an answer";
}

const handlers: readonly Scenario[] = faults.map(({ id, what, needs, hears }) => ({
  id: `handler/${id}`,
  sentence: `a handler that ${what}: ${hearsInWords(hears)}`,
  needs: needs ? [needs] : [],
  async play(stage) {
    await stage.call(`fault:${id}`, null, { hears });
  },
}));

const interceptors: readonly Scenario[] = interceptorFaults.map(({ id, what, hears }) => ({
  id: `interceptor/${id}`,
  sentence: `an interceptor that ${what}: ${hearsInWords(hears)}`,
  needs: ["interceptor"],
  async play(stage) {
    await stage.call(`wrap:${id}`, null, { hears });
  },
}));

const publicCode = /^[A-Z][A-Z_]*$/;

const admissions: readonly Scenario[] = [
  ...connectFaults.map(({ id, what, outcome, code, needs }): Scenario => ({
    id: `connect/${id}`,
    sentence: `a connect check that ${what}: the client is ${outcome === "refused" ? "refused with a public code" : "let in"}`,
    needs: needs ? ["connect", needs] : ["connect"],
    async play(stage) {
      const { admission } = await stage.admit(`/connect-${id}`);
      if (!admission) return;
      stage.complain(
        admission.admitted === (outcome === "admitted"),
        `expected ${outcome}, got ${JSON.stringify(admission)}`,
      );
      if (admission.admitted || outcome === "admitted") return;
      const data = admission.data as { code?: unknown; message?: unknown } | undefined;
      stage.complain(
        typeof data?.code === "string" && publicCode.test(data.code) && typeof data.message === "string",
        `a refusal without code and message: ${JSON.stringify(admission)}`,
      );
      if (code !== undefined) stage.complain(data?.code === code, `expected ${code}, got ${JSON.stringify(admission)}`);
    },
  })),
  ...connectionFaults.map(({ id, what }): Scenario => ({
    id: `connection/${id}`,
    sentence: `a connection subscriber that ${what}: the client is in and its calls are answered`,
    needs: ["connection"],
    async play(stage) {
      const namespace = `/connection-${id}`;
      const { client, admission } = await stage.admit(namespace);
      if (!admission) return;
      stage.complain(admission.admitted, "the client was refused");
      await stage.raw(client, ["honest", 1], { what: "honest after a bad connection subscriber", namespace });
    },
  })),
  ...disconnectFaults.map(({ id, what }): Scenario => ({
    id: `disconnect/${id}`,
    sentence: `a disconnect subscriber that ${what}: nobody else notices, however the client leaves`,
    needs: ["disconnect"],
    async play(stage) {
      const namespace = `/disconnect-${id}`;
      for (const leaving of ["packet", "close", "terminate", "garbage"] as const) {
        const { client } = await stage.admit(namespace);
        if (leaving === "packet") client.sendDisconnect(namespace);
        else if (leaving === "garbage") client.frame("42{");
        else if (leaving === "terminate") client.terminate();
        else await client[Symbol.asyncDispose]();
      }
      await stage.command("settle");
    },
  })),
  {
    id: "connection/order",
    sentence: "events sent while connection subscribers run are kept, in order, and run afterwards",
    needs: ["connection", "beside"],
    async play(stage) {
      const namespace = "/connection-slow";
      const { client } = await stage.admit(namespace);
      const calls = Array.from({ length: 50 }, (_, n) =>
        stage.raw(client, ["ordered", n], {
          what: `ordered ${n}`,
          namespace,
          hears: { value: { ready: true, n, nth: n } },
        }),
      );
      await Promise.all(calls);
    },
  },
  ...["/connection-slow", "/connection-never"].map((namespace): Scenario => ({
    id: `connection/flood-${namespace}`,
    sentence: `2,000 events while the connection subscriber of ${namespace} runs are all answered, if only with OVERLOADED`,
    needs: ["connection", "beside"],
    async play(stage) {
      const { client } = await stage.admit(namespace);
      for (let n = 0; n < 2_000; n++) client.send(n, ["honest", 41], namespace);
      await client.until(() => client.replies.length >= 2_000, "2,000 answers").catch(() => undefined);
      stage.complain(client.replies.length === 2_000, `${client.replies.length} of 2,000 answered`);
    },
  })),
  {
    id: "connect/leaves-early",
    sentence: "a client that leaves while its connect check runs is forgotten",
    needs: ["connect"],
    async play(stage) {
      for (let round = 0; round < 20; round++) {
        const client = await stage.open();
        client.sendConnect("/connect-never");
        client.terminate();
      }
    },
  },
  {
    id: "connect/twice-at-once",
    sentence: "a second CONNECT while the first is still being checked does not get a second socket in",
    needs: ["connect"],
    async play(stage) {
      const client = await stage.open();
      client.sendConnect("/connect-slow").sendConnect("/connect-slow").sendConnect("/connect-slow");
      const done = (): boolean => client.isClosed || client.admissions("/connect-slow").length > 0;
      await client.until(done, "CONNECT thrice").catch(() => undefined);
      stage.outcomes.push({ what: "CONNECT thrice", answered: done(), hears: undefined, tookMs: 0 });
      await stage.command("settle");
      const admitted = client.admissions("/connect-slow").filter((admission) => admission.admitted);
      stage.complain(admitted.length <= 1, `${admitted.length} sockets of one namespace were let in on one transport`);
    },
  },
];

const validation: readonly Scenario[] = [
  ...schemaFaults.map(({ id, what, hears }): Scenario => ({
    id: `schema/${id}`,
    sentence: `an input schema that ${what}: ${hearsInWords(hears)}`,
    needs: ["schema"],
    async play(stage) {
      await stage.call(`check:${id}`, { any: "thing" }, { hears });
    },
  })),
  ...(
    [
      ["null", null],
      ["nothing", undefined],
      ["a number", 42],
      ["a string", "text"],
      ["an array", [{ text: "hi", n: 1 }]],
      ["an empty object", {}],
      ["the wrong types", { text: 1, n: "1" }],
      ["too long a text", { text: "x".repeat(1_001), n: 1 }],
      ["a prototype to be", JSON.parse('{"__proto__":{"text":"hi","n":1,"polluted":true}}')],
      ["a constructor", { constructor: { prototype: { polluted: true } } }],
    ] as const
  ).map(([what, payload]): Scenario => ({
    id: `typed/${what.replaceAll(/[^a-z0-9]+/g, "-")}`,
    sentence: `${what} for an event with a schema: the caller hears INVALID_INPUT`,
    needs: ["typed"],
    async play(stage) {
      const args = payload === undefined ? stage.dialect("typed", 0).slice(0, -1) : stage.dialect("typed", payload);
      const outcome = await stage.raw(await stage.client(), args, {
        what: "typed",
        hears: { codes: ["INVALID_INPUT"] },
      });
      const error = (outcome.args?.[0] as { error?: { details?: { issues?: unknown } } } | undefined)?.error;
      if (outcome.answered)
        stage.complain(Array.isArray(error?.details?.issues), `no issues in ${JSON.stringify(outcome.args)}`);
    },
  })),
  {
    id: "typed/deep",
    sentence: "arrays 5,000 deep for an event with a schema: the caller hears INVALID_INPUT",
    needs: ["typed"],
    async play(stage) {
      const client = await stage.client();
      client.frame(`421${spliced(stage, "typed", deep(5_000))}`);
      await stage.expect(client, 1, { what: "typed, deep", hears: { codes: ["INVALID_INPUT"] } });
    },
  },
  {
    id: "typed/good",
    sentence: "a good payload among bad ones is answered with the value",
    needs: ["typed"],
    async play(stage) {
      const client = await stage.client();
      await Promise.all(
        [1, null, { text: "hi", n: 2 }, "x"].map((payload, index) =>
          stage.raw(client, stage.dialect("typed", payload), {
            what: `typed ${index}`,
            hears: index === 2 ? { value: { said: "hi" } } : { codes: ["INVALID_INPUT"] },
          }),
        ),
      );
    },
  },
  {
    id: "typed/too-many",
    sentence: "more arguments than the schema takes do not shift the context or the acknowledgement",
    needs: ["typed"],
    async play(stage) {
      const args = [...stage.dialect("typed", { text: "hi", n: 1 }), "more", { and: "more" }, null];
      await stage.raw(await stage.client(), args, {
        what: "typed with more",
        hears: { oneOf: [{ value: { said: "hi" } }, { codes: ["INVALID_INPUT"] }] },
      });
    },
  },
  {
    id: "output/wrong",
    sentence: "a reply that does not fit its output schema: the caller hears INTERNAL",
    needs: ["output"],
    async play(stage) {
      await stage.call("output:wrong", null, { hears: { codes: ["INTERNAL"] } });
    },
  },
  {
    id: "output/throws",
    sentence: "an output schema that throws: the caller hears INTERNAL",
    needs: ["output"],
    async play(stage) {
      await stage.call("output:throws", null, { hears: { codes: ["INTERNAL"] } });
    },
  },
];

const hooks: readonly Scenario[] = [
  ...errorHookFaults.map(({ id, what }): Scenario => ({
    id: `error-hook/${id}`,
    sentence: `an error subscriber that ${what}: the caller hears INTERNAL all the same`,
    needs: ["error-hook"],
    async play(stage) {
      await stage.call(`hook:${id}`, null, { hears: { codes: ["INTERNAL"] } });
    },
  })),
  {
    id: "logger/throws",
    sentence: "a logger that throws: the caller hears INTERNAL all the same",
    needs: ["logger"],
    async play(stage) {
      await stage.command("logger", "throws");
      await stage.call("fault:throw-error", null, { hears: { codes: ["INTERNAL"] } });
      await stage.call("fault:reject-null", null, { hears: { codes: ["INTERNAL"] } });
      await stage.command("logger", "works");
    },
  },
];

const notListened: Hears = { codes: ["UNKNOWN_EVENT", "FORBIDDEN", "INVALID_INPUT"] };
const unknown: Hears = { codes: ["UNKNOWN_EVENT"] };

/** Names that pass the parser and that nobody listens to, or nobody may. */
const strangeNames: readonly (readonly [what: string, name: string | number, hears: Hears])[] = [
  ["an empty name", "", notListened],
  ["a blank name", "  ", notListened],
  ["a name nobody listens to", "nobody-listens", unknown],
  ["the name __proto__", "__proto__", unknown],
  ["the name constructor", "constructor", unknown],
  ["the name toString", "toString", unknown],
  ["the name hasOwnProperty", "hasOwnProperty", unknown],
  ["the name valueOf", "valueOf", unknown],
  ["the name prototype", "prototype", unknown],
  ["the name __defineGetter__", "__defineGetter__", unknown],
  ["the name then", "then", unknown],
  ["the reserved name error", "error", notListened],
  ["the reserved name connection", "connection", notListened],
  ["a name half a megabyte long", "n".repeat(500_000), notListened],
  ["a name of control characters", "\u0000\r\n\u001b[31m", notListened],
  ["a name that is a lone surrogate", "\ud800", notListened],
  ["a name in emoji", "🧨".repeat(100), unknown],
  ["a name with a wildcard", "*", unknown],
  ["zero for a name", 0, notListened],
  ["a number for a name", 42, notListened],
  ["a negative number for a name", -1, notListened],
  ["a huge number for a name", 1e308, notListened],
];

/** Names the parser itself refuses, together with the connection. */
const parserNames = ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/** Frames that are no packet, or no packet of a client in its right mind. */
const malformed: readonly (readonly [what: string, ...frames: readonly (string | Buffer)[]])[] = [
  ["an empty message", "4"],
  ["an unknown packet type", "49"],
  ["a packet type that is a letter", "4x"],
  ["half a JSON array", '42["honest"'],
  ["an object for an array", '42{"event":"honest"}'],
  ["a string for an array", '42"honest"'],
  ["null for an array", "42null"],
  ["null for a name", "42[null]"],
  ["true for a name", "42[true]"],
  ["an object for a name", '42[{"toString":"x"}]'],
  ["an array for a name", '42[["honest"]]'],
  ["an empty array", "42[]"],
  ["an empty array that wants an answer", "4212[]"],
  ["an event with no payload at all", "42"],
  ["an acknowledgement of nothing", '43999["x"]'],
  ["an acknowledgement without an id", '43["x"]'],
  ["an acknowledgement without a payload", "43999"],
  ["an acknowledgement with id NaN", '43NaN["x"]'],
  ["a CONNECT with an array", "40[]"],
  ["a CONNECT with a string", '40"x"'],
  ["a CONNECT with null", "40null"],
  ["a CONNECT again", "40"],
  ["a CONNECT_ERROR from a client", '44{"message":"no"}'],
  ["a DISCONNECT with a payload", '41["x"]'],
  ["a DISCONNECT of a namespace it is not in", "41/nowhere,"],
  ["an event in a namespace it is not in", '42/nowhere,1["honest",1]'],
  ["a binary event with no attachment", '450-["echo"]'],
  ["a binary event with an attachment count that is no number", '45x-["echo"]'],
  ["a binary event with minus one attachment", '45-1-["echo",{"_placeholder":true,"num":0}]'],
  ["a binary event that promises a billion attachments", '45999999999-["echo",{"_placeholder":true,"num":0}]'],
  ["text where an attachment is due", '451-["echo",{"_placeholder":true,"num":0}]', '42["honest",1]'],
  ["an attachment nobody asked for", Buffer.from("surprise")],
  [
    "two attachments where one was promised",
    '451-["echo",{"_placeholder":true,"num":0}]',
    Buffer.from("a"),
    Buffer.from("b"),
  ],
  ["a placeholder beyond the attachments", '451-["echo",{"_placeholder":true,"num":7}]', Buffer.from("a")],
  ["a placeholder named constructor", '451-["echo",{"_placeholder":true,"num":"constructor"}]', Buffer.from("a")],
  ["a placeholder that is negative", '451-["echo",{"_placeholder":true,"num":-1}]', Buffer.from("a")],
  ["an Engine.IO packet of no type", "9"],
  ["an empty frame", ""],
  ["an Engine.IO open from a client", '0{"sid":"x"}'],
  ["an Engine.IO upgrade from a client", "5"],
  ["a probe", "2probe"],
  ["a pong nobody asked for", "3"],
  ["base64 where binary is due", "bAAAA"],
];

/** JSON too deep for `JSON.stringify` to have written it. */
const deep = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);

/** A call of the contestant's own with a payload that is JSON text already. */
function spliced(stage: Stage, event: string, json: string): string {
  const head = stage.dialect(event, 0).slice(0, -1);
  return `${JSON.stringify(head).slice(0, -1)},${json}]`;
}

/** Leaves the main namespace and waits until the server has seen it: what follows is then no race but a new beginning. */
async function leave(client: RawClient): Promise<void> {
  client.sendDisconnect();
  await client.connect("/nowhere");
}

const wire: readonly Scenario[] = [
  ...strangeNames.map(([what, name, hears]): Scenario => ({
    id: `wire/${what.replaceAll(/[^A-Za-z0-9_]+/g, "-")}`,
    sentence: `${what}: ${hearsInWords(hears)} and the connection goes on`,
    needs: [],
    async play(stage) {
      const client = await stage.client();
      await stage.raw(client, [name, { a: 1 }], { what, hears });
      // The same again with nobody to answer to, which must not count as anything else.
      client.emit([name, { a: 1 }]).emit([name]);
      await stage.call("honest", 41, { client, hears: { value: { ok: 42 } } });
    },
  })),
  ...parserNames.map((name): Scenario => ({
    id: `wire/reserved-${name}`,
    sentence: `the reserved name ${name} is refused, together with its connection`,
    needs: [],
    async play(stage) {
      const client = await stage.client();
      const id = client.freshId();
      client.send(id, [name, "x"]);
      await stage.answeredOrClosed(client, id, name);
    },
  })),
  ...malformed.map(([what, ...frames]): Scenario => ({
    id: `malformed/${what.replaceAll(/[^A-Za-z0-9_]+/g, "-")}`,
    sentence: `${what}: the connection is closed or goes on, and nobody else notices`,
    needs: [],
    async play(stage) {
      const client = await stage.client();
      for (const frame of frames) client.frame(frame);
      await stage.closedOrServed(client, what);
    },
  })),
  {
    id: "wire/no-name-with-id",
    sentence: "an event that carries an id and no payload is answered all the same",
    needs: [],
    async play(stage) {
      const client = await stage.client();
      client.frame("42777");
      await stage.expect(client, 777, { what: "an event without payload", hears: notListened });
      await stage.call("honest", 41, { client, hears: { value: { ok: 42 } } });
    },
  },
  {
    id: "wire/same-id-twice",
    sentence: "two events with one id are two events and get two answers",
    needs: [],
    async play(stage) {
      const client = await stage.client();
      client.send(5, stage.dialect("honest", 1)).send(5, stage.dialect("honest", 2));
      await stage.expect(client, 5, { what: "the first of two", hears: { value: { ok: 2 } } });
      await stage.expect(client, 5, { what: "the second of two", hears: { value: { ok: 3 } }, count: 2 });
    },
  },
  {
    id: "wire/huge-id",
    sentence: "an id beyond every safe integer is answered with that id",
    needs: [],
    async play(stage) {
      await stage.raw(await stage.client(), stage.dialect("honest", 1), {
        what: "a huge id",
        id: "999999999999999999999999",
        hears: { value: { ok: 2 } },
      });
    },
  },
  {
    id: "wire/padded-id",
    sentence: "an id with leading zeros is answered once",
    needs: [],
    async play(stage) {
      const client = await stage.client();
      await stage.raw(client, stage.dialect("honest", 1), {
        what: "a padded id",
        id: "0000012",
        hears: { value: { ok: 2 } },
      });
      stage.complain(client.replies.length === 1, `${client.replies.length} answers`);
    },
  },
  {
    id: "wire/unasked",
    sentence: "a fault in an event that wants no answer is answered with silence",
    needs: [],
    async play(stage) {
      const client = await stage.client();
      for (const id of [
        "throw-error",
        "reject-error",
        "return-circular",
        "throw-revoked",
        "reject-revoked",
        "overflow",
        "destructure",
      ]) {
        client.emit(stage.dialect(`fault:${id}`, null));
      }
      await stage.call("honest", 41, { client, hears: { value: { ok: 42 } } });
      stage.complain(client.replies.length === 1, `${client.replies.length} acknowledgements for one call`);
      stage.complain(client.events.length === 0, `the server sent ${JSON.stringify(client.events)}`);
    },
  },
  {
    id: "wire/no-payload",
    sentence: "an event whose handler expects a payload and gets none is answered",
    needs: [],
    async play(stage) {
      const args = stage.dialect("fault:destructure", 0).slice(0, -1);
      await stage.raw(await stage.client(), args, { what: "no payload", hears: { codes: ["INTERNAL"] } });
    },
  },
  {
    id: "wire/acknowledgement-in-the-middle",
    sentence: "what looks like an acknowledgement among the arguments is not called",
    needs: [],
    async play(stage) {
      const client = await stage.client();
      const args = [...stage.dialect("echo", { call: "function", type: "ack" }), "function () {}", { length: 1 }];
      await stage.raw(client, args, { what: "echo with more" });
    },
  },
  {
    id: "wire/ten-thousand-arguments",
    sentence: "ten thousand arguments are no trouble",
    needs: [],
    async play(stage) {
      const args: unknown[] = [...stage.dialect("honest", 41), ...Array.from({ length: 10_000 }, (_, index) => index)];
      await stage.raw(await stage.client(), args, { what: "ten thousand arguments", hears: { value: { ok: 42 } } });
    },
  },
  {
    id: "wire/hundred-thousand-arguments",
    sentence: "a hundred and fifty thousand arguments are answered one way or the other",
    needs: [],
    async play(stage) {
      const args: unknown[] = [...stage.dialect("honest", 41), ...Array.from({ length: 150_000 }, () => 0)];
      const client = await stage.client();
      const id = client.freshId();
      client.send(id, args);
      await stage.answeredOrClosed(client, id, "150,000 arguments");
    },
  },
  ...['/dynamic-"', "/dynamic-]]", "/dynamic-\\", "/dynamic-[[", "/dynamic-__proto__"].map((namespace): Scenario => ({
    id: `wire/arguments-in-${namespace}`,
    sentence: `a hundred and fifty thousand arguments in the namespace ${namespace} are answered one way or the other`,
    needs: ["beside"],
    async play(stage) {
      const { client } = await stage.admit(namespace);
      await stage.raw(client, ["honest", 41], { what: "honest", namespace, hears: { value: { ok: 42 } } });
      client.frame(`42${namespace},7${JSON.stringify(["honest", 41, ...Array.from({ length: 150_000 }, () => 0)])}`);
      await stage.answeredOrClosed(client, 7, "150,000 arguments", namespace);
    },
  })),
  {
    id: "wire/acknowledgement-of-many",
    sentence:
      "an acknowledgement with a hundred and fifty thousand arguments for something the server asked ends nothing",
    needs: ["beside"],
    async play(stage) {
      const client = await stage.client();
      client.emit(["ask-me"]);
      await client.until(() => client.events.length > 0, "the server's question");
      client.acknowledge(
        client.events[0]!.id!,
        Array.from({ length: 150_000 }, () => 0),
      );
      await stage.closedOrServed(client, "an acknowledgement with 150,000 arguments");
    },
  },
  {
    id: "wire/deep-echo",
    sentence: "arrays 5,000 deep, to be echoed, end in an answer and not in the process",
    needs: [],
    async play(stage) {
      const client = await stage.client();
      client.frame(`421${spliced(stage, "echo", deep(5_000))}`);
      await stage.expect(client, 1, { what: "5,000 deep" });
    },
  },
  {
    id: "wire/deeper-echo",
    sentence: "arrays 100,000 deep, to be echoed, end in an answer and not in the process",
    needs: [],
    async play(stage) {
      const client = await stage.client();
      client.frame(`421${spliced(stage, "echo", deep(100_000))}`);
      await stage.answeredOrClosed(client, 1, "100,000 deep");
    },
  },
  {
    id: "wire/deep-to-nobody",
    sentence: "arrays 5,000 deep for an event nobody listens to are answered UNKNOWN_EVENT",
    needs: [],
    async play(stage) {
      const client = await stage.client();
      client.frame(`421["nobody-listens",${deep(5_000)}]`);
      await stage.expect(client, 1, { what: "deep to nobody", hears: unknown });
    },
  },
  {
    id: "wire/deep-to-a-fault",
    sentence: "arrays 5,000 deep for a handler that throws: whoever logs the arguments survives it",
    needs: [],
    async play(stage) {
      const client = await stage.client();
      client.frame(`421${spliced(stage, "fault:throw-error", deep(5_000))}`);
      await stage.expect(client, 1, { what: "deep to a fault", hears: { codes: ["INTERNAL"] } });
    },
  },
  {
    id: "wire/binary-echo",
    sentence: "a buffer that is echoed comes back",
    needs: [],
    async play(stage) {
      const client = await stage.client();
      const placeholder = { _placeholder: true, num: 0 };
      client.binary(`1-3${JSON.stringify(stage.dialect("echo", placeholder))}`, Buffer.from("bytes"));
      const outcome = await stage.expect(client, 3, { what: "a binary echo" });
      if (outcome.answered)
        stage.complain(Buffer.isBuffer(outcome.args?.[0]), `expected a buffer, heard ${JSON.stringify(outcome.args)}`);
    },
  },
  {
    id: "wire/binary-to-a-fault",
    sentence: "a buffer for a handler that throws: the caller hears INTERNAL",
    needs: [],
    async play(stage) {
      const client = await stage.client();
      const placeholder = { _placeholder: true, num: 0 };
      client.binary(`1-3${JSON.stringify(stage.dialect("fault:throw-error", placeholder))}`, Buffer.alloc(100_000));
      await stage.expect(client, 3, { what: "a binary fault", hears: { codes: ["INTERNAL"] } });
    },
  },
  {
    id: "wire/attachments-never-come",
    sentence: "a client that never sends the attachments it promised harms only itself",
    needs: [],
    async play(stage) {
      const client = await stage.client();
      client.frame('452-["echo",{"_placeholder":true,"num":0}]').frame(Buffer.from("only one"));
      await stage.call("honest", 41, { hears: { value: { ok: 42 } } });
    },
  },
  {
    id: "wire/pollution",
    sentence: "payloads with __proto__ and constructor.prototype change no prototype",
    needs: [],
    async play(stage) {
      const client = await stage.client();
      const payload = '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}';
      client.frame(`421${spliced(stage, "echo", payload)}`);
      await stage.expect(client, 1, { what: "a polluting echo" });
      const { polluted } = await stage.command<{ polluted: boolean }>("settle");
      stage.complain(!polluted, "Object.prototype was polluted");
    },
  },
  {
    id: "wire/too-big",
    sentence: "a frame beyond the size limit closes its connection only",
    needs: [],
    async play(stage) {
      const client = await stage.client();
      const id = client.freshId();
      client.send(id, stage.dialect("echo", "x".repeat(1_100_000)));
      await stage.answeredOrClosed(client, id, "a frame of 1.1 MB");
    },
  },
  {
    id: "wire/before-connect",
    sentence: "an event before any CONNECT is refused, together with its connection",
    needs: [],
    async play(stage) {
      const client = await stage.open();
      const id = client.freshId();
      client.send(id, stage.dialect("honest", 1));
      await stage.answeredOrClosed(client, id, "an event before CONNECT");
    },
  },
  {
    id: "wire/after-disconnect",
    sentence: "an event after DISCONNECT is refused, together with its connection",
    needs: [],
    async play(stage) {
      const client = await stage.client();
      await leave(client);
      const id = client.freshId();
      client.send(id, stage.dialect("honest", 1));
      await stage.answeredOrClosed(client, id, "an event after DISCONNECT");
    },
  },
  {
    id: "wire/connect-again",
    sentence: "DISCONNECT and CONNECT on one transport make a new socket that is served",
    needs: [],
    async play(stage) {
      const client = await stage.client();
      await leave(client);
      await client.connect();
      await stage.call("honest", 41, { client, hears: { value: { ok: 42 } } });
    },
  },
  {
    id: "wire/connect-many-times",
    sentence: "two hundred rounds of CONNECT and DISCONNECT on one transport leave it served",
    needs: [],
    async play(stage) {
      const client = await stage.client();
      for (let round = 0; round < 200; round++) {
        client.send(client.freshId(), stage.dialect("honest", 1));
        await leave(client);
        await client.connect();
      }
      await stage.call("honest", 41, { client, hears: { value: { ok: 42 } } });
    },
  },
  {
    id: "wire/connect-500",
    sentence: "five hundred CONNECTs at once on one transport make one socket at most",
    needs: [],
    async play(stage) {
      const client = await stage.open();
      for (let n = 0; n < 500; n++) client.sendConnect();
      await stage.closedOrServed(client, "500 CONNECTs");
      const admitted = client.admissions().filter((admission) => admission.admitted).length;
      stage.complain(admitted <= 1, `${admitted} sockets of one namespace were let in on one transport`);
      await stage.call("honest", 41, { hears: { value: { ok: 42 } } });
    },
  },
  {
    id: "wire/five-thousand-namespaces",
    sentence: "a transport that enters five thousand namespaces of a pattern is stopped",
    needs: ["beside"],
    async play(stage) {
      const client = await stage.open();
      for (let n = 0; n < 5_000; n++) client.sendConnect(`/dynamic-${n}`);
      await client.untilClosed().catch(() => undefined);
      const outcome = { what: "5,000 namespaces", answered: client.isClosed, hears: undefined, tookMs: 0 };
      stage.outcomes.push(outcome);
      let admitted = 0;
      for (let n = 0; n < 5_000; n++) admitted += client.admissions(`/dynamic-${n}`).length;
      stage.complain(admitted <= 100, `${admitted} namespaces were entered`);
      await stage.call("honest", 41, { hears: { value: { ok: 42 } } });
    },
  },
  {
    id: "wire/one-attachment-400-times",
    sentence: "an attachment of 100 kB that is named 400 times, to be echoed, is not sent 400 times",
    needs: [],
    async play(stage) {
      const client = await stage.client();
      const many = Array.from({ length: 400 }, () => ({ _placeholder: true, num: 0 }));
      client.binary(`1-7${JSON.stringify(stage.dialect("echo", many))}`, Buffer.alloc(100_000));
      await stage.answeredOrClosed(client, 7, "400 placeholders");
      const bytes = client.frames.reduce((sum, frame) => sum + frame.length, 0);
      stage.complain(bytes < 1_000_000, `${bytes} bytes were sent back`);
    },
  },
  {
    id: "wire/long-text",
    sentence: "a text of 900 kB is no trouble",
    needs: [],
    async play(stage) {
      const text = "lorem, ipsum ".repeat(70_000);
      await stage.raw(await stage.client(), [...stage.dialect("honest", 41), text], {
        what: "900 kB",
        hears: { value: { ok: 42 } },
      });
    },
  },
  ...[
    "/nowhere",
    "/__proto__",
    "/constructor",
    "/toString",
    `/${"n".repeat(100_000)}`,
    "/../../etc/passwd",
    "/nowhere?token=x",
  ].map((namespace): Scenario => ({
    id: `wire/namespace-${namespace.slice(1, 20)}`,
    sentence: `CONNECT to the unknown namespace ${namespace.length > 40 ? "/nnn… (100,000 characters)" : namespace} is refused`,
    needs: [],
    async play(stage) {
      const { client, admission } = await stage.admit(namespace);
      stage.complain(admission?.admitted === false, `expected a refusal, got ${JSON.stringify(admission)}`);
      await client.connect();
      await stage.call("honest", 41, { client, hears: { value: { ok: 42 } } });
    },
  })),
  {
    id: "wire/many-namespaces",
    sentence: "CONNECT to five hundred unknown namespaces is refused five hundred times",
    needs: [],
    async play(stage) {
      const client = await stage.client();
      for (let n = 0; n < 500; n++) client.sendConnect(`/unknown-${n}`);
      await client.until(() => client.admissions("/unknown-499").length > 0, "the last refusal").catch(() => undefined);
      await stage.call("honest", 41, { client, hears: { value: { ok: 42 } } });
    },
  },
  {
    id: "wire/leaves-in-mid-call",
    sentence: "a caller that is gone before its reply leaves nothing behind but its absence",
    needs: [],
    async play(stage) {
      for (const fault of ["throw-error", "reject-error", "return-circular", "return-deep-array", "resolve-bigint"]) {
        const client = await stage.client();
        client.send(1, stage.dialect(`fault:${fault}`, null));
        client.send(2, stage.dialect("slow", { ms: 30 }));
        client.terminate();
      }
      await stage.command("settle");
    },
  },
  {
    id: "wire/disconnects-in-mid-call",
    sentence: "a caller that disconnects in mid call and comes back on the same transport is served",
    needs: [],
    async play(stage) {
      const client = await stage.client();
      const id = client.freshId();
      client.send(id, stage.dialect("slow", { ms: 30 }));
      await leave(client);
      await client.connect();
      await stage.call("slow", { ms: 1 }, { client, hears: { value: "slow" } });
      await stage.command("settle");
      stage.complain(client.repliesTo(id).length === 0, "the reply to a past socket reached the new one");
    },
  },
  {
    id: "wire/deaf",
    sentence: "twenty peers that stop reading with calls under way hold nobody up",
    needs: [],
    async play(stage) {
      for (let peer = 0; peer < 20; peer++) {
        const client = await stage.client();
        client.goDeaf();
        for (let n = 0; n < 20; n++) client.send(n, stage.dialect("slow", { ms: 5 }));
      }
      await stage.call("honest", 41, { hears: { value: { ok: 42 } } });
    },
  },
  {
    id: "wire/burst",
    sentence: "a burst of 3,000 calls from one client is answered 3,000 times",
    needs: [],
    play: (stage) => burst(stage, 3_000, () => stage.dialect("honest", 1)),
  },
  {
    id: "wire/slow-burst",
    sentence: "a burst of 3,000 slow calls from one client is answered 3,000 times, if only with OVERLOADED",
    needs: [],
    play: (stage) => burst(stage, 3_000, () => stage.dialect("slow", { ms: 5 })),
  },
  {
    id: "wire/faulty-burst",
    sentence: "a burst of 2,000 faulty calls from one client is answered 2,000 times",
    needs: [],
    play: (stage) => {
      const ids = [
        "throw-error",
        "reject-error",
        "throw-revoked",
        "reject-null",
        "return-circular",
        "resolve-bigint",
        "destructure",
        "overflow",
      ];
      return burst(stage, 2_000, (n) => stage.dialect(`fault:${ids[n % ids.length]!}`, null));
    },
  },
  {
    id: "wire/unknown-burst",
    sentence: "2,000 different names that nobody listens to are answered 2,000 times",
    needs: [],
    play: (stage) => burst(stage, 2_000, (n) => [`nobody-${n}`]),
  },
];

/** Sends many calls in one go and records whether every single one was answered, exactly once. */
async function burst(stage: Stage, size: number, args: (n: number) => unknown[]): Promise<void> {
  const client = await stage.client();
  for (let n = 0; n < size; n++) client.send(n, args(n));
  const started = performance.now();
  await client
    .until(() => client.replies.length >= size, `${size} answers`, stage.deadlineMs * 5)
    .catch(() => undefined);
  stage.outcomes.push({
    what: `${size} calls at once`,
    answered: client.replies.length >= size,
    hears: undefined,
    tookMs: performance.now() - started,
  });
  await stage.command("settle");
  const twice = client.replies.length - new Set(client.replies.map(({ id }) => id)).size;
  stage.complain(twice === 0, `${twice} calls were answered twice`);
  stage.complain(client.replies.length === size, `${client.replies.length} answers to ${size} calls`);
}

const stopped: Hears = { codes: ["UNKNOWN_EVENT", "SHUTTING_DOWN"] };

const teardowns: readonly Scenario[] = [
  {
    id: "teardown/mid-call",
    sentence: "a handler torn down in mid call: the caller is answered, and nothing of it runs afterwards",
    needs: ["teardown"],
    async play(stage) {
      await stage.command("torn/setup");
      const client = await stage.client();
      const call = stage.call("torn:slow", { ms: 60 }, { client, hears: { oneOf: [{ value: "slow" }, stopped] } });
      await stage.command("torn/running", 1);
      const running = await stage.command<number>("torn/teardown");
      stage.complain(running === 0, `${running} methods still ran when teardown() had resolved`);
      await call;
      await stage.call("torn:slow", { ms: 1 }, { client, hears: unknown });
      await stage.command("torn/setup");
      await stage.call("torn:slow", { ms: 1 }, { client, hears: { value: "slow" } });
      await stage.command("torn/teardown");
    },
  },
  {
    id: "teardown/queued",
    sentence: "a handler torn down with calls waiting: each is answered, none runs afterwards",
    needs: ["teardown"],
    async play(stage) {
      await stage.command("torn/setup");
      const client = await stage.client();
      const calls = Array.from({ length: 10 }, () =>
        stage.call("torn:one", { ms: 20 }, { client, hears: { oneOf: [{ value: "slow" }, stopped] } }),
      );
      await stage.command("torn/running", 1);
      const running = await stage.command<number>("torn/teardown");
      stage.complain(running === 0, `${running} methods still ran when teardown() had resolved`);
      const before = await stage.command<number>("torn/runs");
      await Promise.all(calls);
      await stage.command("settle");
      const afterwards = await stage.command<number>("torn/runs");
      stage.complain(afterwards === before, `${afterwards - before} methods ran after teardown() had resolved`);
    },
  },
  {
    id: "teardown/never",
    sentence: "a handler torn down while a method of it never settles: teardown and the caller are answered in time",
    needs: ["teardown"],
    async play(stage) {
      await stage.command("torn/setup");
      const client = await stage.client();
      const call = stage.call("torn:never", null, {
        client,
        hears: { codes: ["TIMEOUT", "SHUTTING_DOWN", "UNKNOWN_EVENT"] },
      });
      await stage.command("torn/running", 1);
      const started = performance.now();
      await stage.command("torn/teardown");
      const took = performance.now() - started;
      stage.complain(took < timeLimitMs + 5_000, `teardown took ${Math.round(took)} ms`);
      await call;
      await stage.command("torn/reset");
    },
  },
  {
    id: "teardown/throws",
    sentence: "a handler whose onTeardown and cleanups throw is torn down all the same",
    needs: ["teardown"],
    async play(stage) {
      await stage.command("torn/setup", { throwing: true });
      const client = await stage.client();
      await stage.call("torn:slow", { ms: 1 }, { client, hears: { value: "slow" } });
      await stage.command("torn/teardown");
      await stage.call("torn:slow", { ms: 1 }, { client, hears: unknown });
    },
  },
  {
    id: "teardown/again-and-again",
    sentence: "fifty set-ups and tear-downs under a stream of calls leave each call answered once",
    needs: ["teardown"],
    async play(stage) {
      const client = await stage.client();
      const calls: Promise<Outcome>[] = [];
      for (let round = 0; round < 50; round++) {
        await stage.command("torn/setup");
        for (let n = 0; n < 4; n++) {
          calls.push(stage.call("torn:slow", { ms: 2 }, { client, hears: { oneOf: [{ value: "slow" }, stopped] } }));
        }
        await stage.command("torn/teardown");
      }
      await Promise.all(calls);
      stage.complain(client.replies.length === 200, `${client.replies.length} answers to 200 calls`);
    },
  },
];

const shutdowns: readonly Scenario[] = [
  {
    id: "shutdown/mid-call",
    sentence: "a server shut down with ten calls running: all ten get their value",
    needs: ["shutdown"],
    ends: true,
    async play(stage) {
      const client = await stage.client();
      const calls = Array.from({ length: 10 }, () =>
        stage.call("slow", { ms: 150 }, { client, hears: { value: "slow" } }),
      );
      await stage.command("slow/running", 10);
      void stage.command("shutdown", { graceMs: 5_000 }).catch(() => undefined);
      await Promise.all(calls);
    },
  },
  {
    id: "shutdown/new-event",
    sentence: "an event that arrives during shutdown is answered SHUTTING_DOWN",
    needs: ["shutdown"],
    ends: true,
    async play(stage) {
      const client = await stage.client();
      await stage.command("slow/hold");
      const call = stage.call("slow", { ms: 1 }, { client });
      await stage.command("slow/running", 1);
      void stage.command("shutdown", { graceMs: 5_000 }).catch(() => undefined);
      await stage.command("settle").catch(() => undefined);
      await stage.call("honest", 1, { client, hears: { codes: ["SHUTTING_DOWN"] } });
      await stage.command("slow/release").catch(() => undefined);
      await call;
    },
  },
  {
    id: "shutdown/new-connection",
    sentence: "a client that connects during shutdown is refused",
    needs: ["shutdown"],
    ends: true,
    async play(stage) {
      const client = await stage.client();
      const late = await stage.open();
      const call = stage.call("slow", { ms: 300 }, { client });
      await stage.command("slow/running", 1);
      void stage.command("shutdown", { graceMs: 1_000 }).catch(() => undefined);
      await stage.command("settle").catch(() => undefined);
      const admission = await late.connect().catch(() => undefined);
      stage.complain(admission?.admitted !== true, "a new client was let in");
      await call;
    },
  },
  {
    id: "shutdown/never",
    sentence: "a call that never ends: cut at the end of the grace period, and the caller hears of it",
    needs: ["shutdown"],
    ends: true,
    async play(stage) {
      const client = await stage.client();
      const call = stage.call("fault:thenable-never", null, { client, hears: { codes: ["SHUTTING_DOWN", "TIMEOUT"] } });
      await stage.command("settle");
      void stage.command("shutdown", { graceMs: 120 }).catch(() => undefined);
      await call;
    },
  },
  {
    id: "shutdown/deaf",
    sentence: "peers that ignore the close frame don't hold a shutdown up",
    needs: ["shutdown"],
    ends: true,
    async play(stage) {
      for (let peer = 0; peer < 3; peer++) {
        const deaf = await stage.client();
        deaf.send(1, stage.dialect("slow", { ms: 20 }));
        deaf.goDeaf();
      }
      const client = await stage.client();
      const call = stage.call("slow", { ms: 100 }, { client, hears: { value: "slow" } });
      await stage.command("slow/running", 1);
      void stage.command("shutdown", { graceMs: 2_000 }).catch(() => undefined);
      await call;
    },
  },
  {
    id: "shutdown/silent-transport",
    sentence: "transports that never sent a CONNECT don't hold a shutdown up",
    needs: ["shutdown"],
    ends: true,
    async play(stage) {
      for (let peer = 0; peer < 3; peer++) (await stage.open()).goDeaf();
      void stage.command("shutdown", { graceMs: 300 }).catch(() => undefined);
    },
  },
  {
    id: "shutdown/mid-connect",
    sentence: "a shutdown in the middle of a connect check ends on time",
    needs: ["shutdown", "connect"],
    ends: true,
    async play(stage) {
      const client = await stage.open();
      client.sendConnect("/connect-slow").sendConnect("/connect-never");
      await stage.command("settle");
      void stage.command("shutdown", { graceMs: 500 }).catch(() => undefined);
      await client
        .until(() => client.isClosed || client.admissions("/connect-slow").length > 0, "an answer")
        .catch(() => undefined);
    },
  },
  {
    id: "shutdown/twice",
    sentence: "a server shut down twice at once is shut down once",
    needs: ["shutdown"],
    ends: true,
    async play(stage) {
      const client = await stage.client();
      const call = stage.call("slow", { ms: 50 }, { client, hears: { value: "slow" } });
      await stage.command("slow/running", 1);
      void stage.command("shutdown", { graceMs: 5_000 }).catch(() => undefined);
      void stage.command("shutdown", { graceMs: 5_000 }).catch(() => undefined);
      await call;
    },
  },
  {
    id: "shutdown/waiting",
    sentence: "calls that still wait for their turn when the server is shut down are answered",
    needs: ["shutdown", "limits"],
    ends: true,
    async play(stage) {
      const client = await stage.client();
      const answer: Hears = { oneOf: [{ value: "slow" }, { codes: ["SHUTTING_DOWN"] }] };
      const calls = Array.from({ length: 3 }, () => stage.call("limit:one", { ms: 60 }, { client, hears: answer }));
      await stage.command("slow/running", 1);
      void stage.command("shutdown", { graceMs: 500 }).catch(() => undefined);
      await Promise.all(calls);
    },
  },
  {
    id: "shutdown/faulty",
    sentence: "a call that rejects during the shutdown is answered INTERNAL",
    needs: ["shutdown"],
    ends: true,
    async play(stage) {
      const client = await stage.client();
      const slow = stage.call("slow", { ms: 100 }, { client, hears: { value: "slow" } });
      const call = stage.call("fault:slow-reject", null, { client, hears: { codes: ["INTERNAL"] } });
      await stage.command("slow/running", 2);
      void stage.command("shutdown", { graceMs: 5_000 }).catch(() => undefined);
      await Promise.all([call, slow]);
    },
  },
];

/** Talks Engine.IO over HTTP, one request a frame, as a client that polls. */
async function poll(
  url: string,
): Promise<{ post(body: string | Uint8Array): Promise<number>; get(): Promise<string> }> {
  const base = `${url}/socket.io/?EIO=4&transport=polling`;
  const ask = async (target: string, init: RequestInit = {}): Promise<Response> =>
    fetch(target, { ...init, signal: AbortSignal.timeout(15_000) });
  const { sid } = JSON.parse((await (await ask(base)).text()).slice(1)) as { sid: string };
  const session = `${base}&sid=${sid}`;
  return {
    post: async (body) =>
      (await ask(session, { method: "POST", body: body as BodyInit, headers: { "content-type": "text/plain" } }))
        .status,
    get: async () => (await ask(session)).text(),
  };
}

const polling: readonly Scenario[] = (
  [
    ["garbage", "nonsense"],
    ["a packet of an unknown type", "49"],
    ["half an event", '42["honest"'],
    ["a binary packet that is no base64", "b!!!!"],
    ["a thousand packets in one request", Array.from({ length: 1_000 }, (_, n) => `42${n}["honest",1]`).join("\u001e")],
    ["a hundred and fifty thousand arguments", `421["honest",${"0,".repeat(150_000)}0]`],
    ["an event without payload", "427"],
    ["a close", "1"],
    ["an empty body", ""],
    ["bytes that are no UTF-8", new Uint8Array([0x34, 0x32, 0x5b, 0xff, 0xfe, 0x00])],
  ] as const
).map(([what, body]) => ({
  id: `polling/${what.replaceAll(/[^A-Za-z0-9]+/g, "-")}`,
  sentence: `${what} by HTTP long-polling harms nobody else`,
  needs: [],
  async play(stage) {
    const { post, get } = await poll(stage.server.url);
    await post("40");
    await get();
    await post(body).catch(() => undefined);
    await get().catch(() => undefined);
    await stage.command("settle");
  },
}));

const overloaded: Hears = { codes: ["OVERLOADED"] };

async function several(stage: Stage, client: RawClient, event: string, expected: readonly Hears[]): Promise<void> {
  const calls = expected.map((hears) => stage.call(event, { ms: 25 }, { client, hears }));
  await Promise.all(calls);
}

const slow: Hears = { value: "slow" };

const limits: readonly Scenario[] = [
  {
    id: "limits/reject",
    sentence: "with one at a time and two waiting, the fourth and fifth call hear OVERLOADED",
    needs: ["limits"],
    async play(stage) {
      await several(stage, await stage.client(), "limit:one", [slow, slow, slow, overloaded, overloaded]);
    },
  },
  {
    id: "limits/drop-oldest",
    sentence: "with dropOldest, the calls that waited longest hear OVERLOADED and the newest run",
    needs: ["limits"],
    async play(stage) {
      await several(stage, await stage.client(), "limit:newest", [slow, overloaded, overloaded, slow, slow]);
    },
  },
  {
    id: "limits/per-socket",
    sentence: "one socket's full queue is not another's",
    needs: ["limits"],
    async play(stage) {
      const [one, other] = [await stage.client(), await stage.client()];
      await Promise.all([
        several(stage, one, "limit:one", [slow, slow, slow, overloaded]),
        several(stage, other, "limit:one", [slow, slow, slow, overloaded]),
      ]);
    },
  },
  {
    id: "limits/faults-free-the-lane",
    sentence: "calls that throw, reject and time out one after another leave the lane free",
    needs: ["limits"],
    async play(stage) {
      const client = await stage.client();
      for (const how of ["throw", "reject", "never", "throw-revoked"]) {
        const hears: Hears = { codes: [how === "never" ? "TIMEOUT" : "INTERNAL"] };
        await stage.call("limit:faulty", { how }, { client, hears });
      }
      await stage.call("limit:faulty", { how: "not" }, { client, hears: { value: "fine" } });
    },
  },
  ...["throws", "throws-revoked", "rejects", "symbol", "nan", "null", "proto", "hostile"].map((how): Scenario => ({
    id: `limits/key-${how}`,
    sentence: `a key function that ${how.startsWith("throws") || how === "rejects" ? how.replace("-", " a ") : `gives a ${how} key`}: the caller is answered`,
    needs: ["limits"],
    async play(stage) {
      const client = await stage.client();
      const hears: Hears | undefined = how.startsWith("throws") ? { codes: ["INTERNAL"] } : undefined;
      await stage.call(`limit:key-${how}`, 1, { client, ...(hears && { hears }) });
      await stage.call(`limit:key-${how}`, 2, { client, ...(hears && { hears }) });
    },
  })),
  {
    id: "limits/in-flight",
    sentence: "1,500 slow calls at once: the first run, the next wait, and the excess hears OVERLOADED",
    needs: ["limits"],
    async play(stage) {
      await burst(stage, 1_500, () => ["slow", { ms: 20 }]);
      const client = await stage.client();
      for (let n = 0; n < 1_500; n++) client.send(n, ["slow", { ms: 20 }]);
      await client
        .until(() => client.replies.length >= 1_500, "1,500 answers", stage.deadlineMs * 5)
        .catch(() => undefined);
      const codes = client.replies.map(({ args }) => (args[0] as { error?: { code?: string } }).error?.code ?? "value");
      const excess = codes.filter((code) => code === "OVERLOADED").length;
      // 100 in flight and 1,000 waiting; what finishes while the burst still arrives makes room for more.
      stage.complain(excess > 0 && excess <= 400, `${excess} of 1,500 heard OVERLOADED`);
      const others = codes.filter((code) => !["OVERLOADED", "value", "TIMEOUT"].includes(code));
      stage.complain(others.length === 0, `heard ${[...new Set(others)].join(", ")} too`);
    },
  },
  {
    id: "limits/namespaces",
    sentence: "opening more namespaces on one transport does not buy more calls in flight",
    needs: ["limits"],
    async play(stage) {
      const client = await stage.client();
      const namespaces = ["/", "/extra-1", "/extra-2", "/extra-3"];
      for (const namespace of namespaces.slice(1)) await client.connect(namespace);
      for (let n = 0; n < 1_600; n++) client.send(n, ["slow", { ms: 20 }], namespaces[n % namespaces.length]);
      await client
        .until(() => client.replies.length >= 1_600, "1,600 answers", stage.deadlineMs * 5)
        .catch(() => undefined);
      stage.complain(client.replies.length === 1_600, `${client.replies.length} of 1,600 answered`);
      const excess = client.replies.filter(
        ({ args }) => (args[0] as { error?: { code?: string } }).error?.code === "OVERLOADED",
      );
      stage.complain(excess.length > 0, "nobody heard OVERLOADED");
    },
  },
  {
    id: "limits/gone",
    sentence: "what still waits when its caller leaves holds up nobody else",
    needs: ["limits"],
    async play(stage) {
      const client = await stage.client();
      for (let n = 0; n < 3; n++) client.send(n, ["limit:counted", { ms: 30 }]);
      await stage.command("slow/running", 1);
      client.terminate();
      const other = await stage.client();
      await stage.call("limit:counted", { ms: 1 }, { client: other, hears: slow });
      await stage.command("slow/running", 0);
    },
  },
];

const besides: readonly Scenario[] = (
  [
    ["plain", 1, "an event that a listener of the application's own answers later is left to it"],
    ["gated", 1, "an event that middleware of the application holds back for a while is left to its listener"],
    ["plain", 2, "an event that a listener of the application's own answers later is left to it by two ingresses"],
    ["second:slow", 2, "an event that a second ingress answers later is not unknown to the first"],
    ["slow", 2, "an event that the first ingress answers later is not unknown to the second"],
    ["shared", 2, "an event that two ingresses share is answered once"],
    ["fault:reject-error", 2, "an event that fails in the first ingress is not unknown to the second"],
  ] as const
).map(([event, ingresses, sentence]) => ({
  id: `beside/${event}-${ingresses}`,
  sentence,
  needs: ["beside"],
  async play(stage) {
    const hears: Hears = event.startsWith("fault") ? { codes: ["INTERNAL"] } : slow;
    const client = await stage.client();
    if (ingresses === 2) await stage.command("second/attach");
    try {
      await stage.call(event, { ms: 20 }, { client, hears });
      await stage.call(event, { ms: 0 }, { client, hears });
      await stage.command("settle");
    } finally {
      if (ingresses === 2) await stage.command("second/detach");
    }
    stage.complain(client.replies.length === 2, `${client.replies.length} answers to two calls`);
    if (ingresses === 2) await stage.raw(client, ["second:slow"], { what: "second:slow, detached", hears: unknown });
  },
}));

/** Everything that goes wrong, in the order it is played. */
export const scenarios: readonly Scenario[] = [
  ...handlers,
  ...interceptors,
  ...admissions,
  ...validation,
  ...hooks,
  ...wire,
  ...polling,
  ...limits,
  ...besides,
  ...teardowns,
  ...shutdowns,
];
