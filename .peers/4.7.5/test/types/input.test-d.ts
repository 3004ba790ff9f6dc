import { type } from "arktype";
import type { Server } from "socket.io";
import { type EventContext, type EventMap, Handler, type SchemaArgs } from "socket-ingress";
import * as v from "valibot";
import { expectTypeOf } from "vitest";
import { z } from "zod";

interface ClientToServer {
  beat(beat: { since: string }, reply: (r: { ok: true }) => void): void;
  move(x: number, y: number): void;
  pick(kind: string): void;
}
type App = Server<ClientToServer, { presence(): void }, Record<string, never>, { user: string }>;

abstract class Methods extends Handler<App> {
  readonly name = "methods";
  asSent(_context: EventContext<App>, _beat: { since: string }) {
    return { ok: true as const };
  }
  asDate(_context: EventContext<App>, beat: { since: Date }) {
    return beat.since.getTime() > 0 ? { ok: true as const } : undefined;
  }
  move(_context: EventContext<App>, x: number, y: number) {
    return x + y;
  }
  asTexts(_context: EventContext<App>, x: string, y: string) {
    return x + y;
  }
  pick(_context: EventContext<App>, kind: "a" | "b") {
    return kind;
  }
}
const zSent = z.object({ since: z.string() });
const zDate = z.object({ since: z.coerce.date() });
const vSent = v.object({ since: v.string() });
const vDate = v.object({
  since: v.pipe(
    v.string(),
    v.transform((text) => new Date(text)),
  ),
});
const aSent = type({ since: "string" });
const aDate = type({ since: "string.date.parse" });
const text = z.coerce.string();

expectTypeOf<SchemaArgs<typeof zDate>>().toEqualTypeOf<[payload: { since: Date }]>();
expectTypeOf<SchemaArgs<[typeof vDate, typeof text]>>().toEqualTypeOf<[{ since: Date }, string]>();

// --- what compiles: any Standard Schema; the method takes what comes out of it -----------------------------------------------

class Unchanged extends Methods {
  readonly events = {
    beat: { run: "asSent", input: zSent, key: (_context, beat) => beat.since },
    move: { run: this.move, input: [z.number(), z.int()] },
    pick: { run: "pick", input: z.enum(["a", "b"]) },
  } satisfies EventMap<Unchanged>;
}
class Changed extends Methods {
  readonly events = {
    beat: {
      run: "asDate",
      input: zDate,
      key: (_context: EventContext<App>, beat: { since: Date }) => beat.since.toJSON(),
    },
    move: { run: "asTexts", input: [text, text] },
  } satisfies EventMap<Changed>;
}
class Valibot extends Methods {
  readonly events = { beat: { run: "asDate", input: vDate } } satisfies EventMap<Valibot>;
}
class ValibotUnchanged extends Methods {
  readonly events = { beat: { run: this.asSent, input: vSent } } satisfies EventMap<ValibotUnchanged>;
}
class Arktype extends Methods {
  readonly events = { beat: { run: "asDate", input: aDate } } satisfies EventMap<Arktype>;
}
class ArktypeUnchanged extends Methods {
  readonly events = { beat: { run: "asSent", input: aSent } } satisfies EventMap<ArktypeUnchanged>;
}
class Untyped extends Handler {
  readonly name = "untyped";
  readonly events = {
    beat: { run: "asDate", input: zDate, key: (_context, beat) => beat.since.toJSON() },
    move: { run: "move", input: [text, z.number()] },
  } satisfies EventMap<Untyped>;
  asDate(_context: EventContext, beat: { since: Date }) {
    return beat.since;
  }
  move(_context: EventContext, x: string, y: number) {
    return x + y;
  }
}
void [Unchanged, Changed, Valibot, ValibotUnchanged, Arktype, ArktypeUnchanged, Untyped];

// --- what must not compile ----------------------------------------------------------------------------------------------------

class MissingInput extends Methods {
  // @ts-expect-error without a schema nobody makes a date
  readonly events = { beat: { run: "asDate" } } satisfies EventMap<MissingInput>;
}
class OtherOutput extends Methods {
  // @ts-expect-error the schema makes a date, the method takes a string
  readonly events = { beat: { run: "asSent", input: zDate } } satisfies EventMap<OtherOutput>;
}
class NoChange extends Methods {
  // @ts-expect-error the schema makes no date
  readonly events = { beat: { run: "asDate", input: zSent } } satisfies EventMap<NoChange>;
}
class NoChangeValibot extends Methods {
  // @ts-expect-error the schema makes no date
  readonly events = { beat: { run: "asDate", input: vSent } } satisfies EventMap<NoChangeValibot>;
}
class NoChangeArktype extends Methods {
  // @ts-expect-error the schema makes no date
  readonly events = { beat: { run: "asDate", input: aSent } } satisfies EventMap<NoChangeArktype>;
}
class OtherEvent extends Methods {
  // @ts-expect-error the schema reads nothing of what the event sends
  readonly events = { beat: { run: "message", input: z.object({ body: z.string() }) } } satisfies EventMap<OtherEvent>;
  message(_context: EventContext<App>, message: { body: string }) {
    return message.body === "" ? undefined : { ok: true as const };
  }
}
class OneForTwo extends Methods {
  // @ts-expect-error one schema for two arguments
  readonly events = { move: { run: "move", input: z.number() } } satisfies EventMap<OneForTwo>;
}
class TooFew extends Methods {
  // @ts-expect-error the second argument has no schema
  readonly events = { move: { run: "move", input: [z.number()] } } satisfies EventMap<TooFew>;
}
class SecondWrong extends Methods {
  // @ts-expect-error the second schema makes a string
  readonly events = { move: { run: "move", input: [z.number(), z.string()] } } satisfies EventMap<SecondWrong>;
}
class NoSchema extends Methods {
  // @ts-expect-error no schema
  readonly events = { beat: { run: "asSent", input: { parse: String } } } satisfies EventMap<NoSchema>;
}
class ByReference extends Methods {
  // @ts-expect-error only a method by name can take something else than the event sends
  readonly events = { beat: { run: this.asDate, input: zDate } } satisfies EventMap<ByReference>;
}
class OtherReply extends Methods {
  // @ts-expect-error a schema for the arguments changes nothing about the reply
  readonly events = { beat: { run: "answers", input: zDate } } satisfies EventMap<OtherReply>;
  answers(_context: EventContext<App>, beat: { since: Date }) {
    return beat.since.toJSON();
  }
}
class UntypedOther extends Handler {
  readonly name = "untyped";
  // @ts-expect-error the schema makes no date
  readonly events = { beat: { run: "asDate", input: zSent } } satisfies EventMap<UntypedOther>;
  asDate(_context: EventContext, beat: { since: Date }) {
    return beat.since;
  }
}
void [
  MissingInput,
  OtherOutput,
  NoChange,
  NoChangeValibot,
  NoChangeArktype,
  OtherEvent,
  OneForTwo,
  TooFew,
  SecondWrong,
];
void [NoSchema, ByReference, OtherReply, UntypedOther];
