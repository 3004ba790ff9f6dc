import { fileURLToPath } from "node:url";
import ts from "typescript";
import { beforeAll, describe, expect, test } from "vitest";

// What a user reads in the editor after a mistake. Each mistake is a program of its own, made of a few lines in the middle of the
// same class; the message must contain these parts, which are the same in TypeScript 5.9, 6.0 and 7.0.

const repository = fileURLToPath(new URL("../../", import.meta.url));
const folder = `${repository}test/types/mistakes/`;

const before = `
import type { Server } from "socket.io";
import { Controller, type ControllerHandler, type EventContext, type EventMap, type EventsOf, Handler, type ServiceManager, SocketIngress } from "socket-ingress";
import type { Client } from "socket-ingress/client";
import { group, type Realtime } from "socket-ingress/realtime";
import { z } from "zod";

interface ClientToServer {
  heartbeat(beat: { since: number }, reply: (r: { ok: true }) => void): void;
  say(text: string): void;
}
type App = Server<ClientToServer, { presence(who: string[]): void }, Record<string, never>, { user: string }>;
declare const ingress: SocketIngress<App>;
declare const manager: ServiceManager<App>;
declare const untyped: SocketIngress;

abstract class Methods extends Handler<App> {
  readonly name = "methods";
  handleBeat(_context: EventContext<App>, _beat: { since: number }) { return { ok: true as const }; }
  handleDate(_context: EventContext<App>, _beat: { since: Date }) { return { ok: true as const }; }
  handleLate(_context: EventContext<App>, _beat: { since: number }) { return Promise.resolve("late"); }
}
interface Asked {
  get_item(query: { id: number }, reply: (item: { id: number }) => void): void;
  items_between(first: number, last: number, reply: (items: string[]) => void): void;
}
interface Pushed { items_changed(change: { source: string }): void; typing(): void }
declare const client: Client<Server<Asked, Pushed>>;
declare const realtime: Realtime<Server<Asked, Pushed>>;
function ofADoor(this: { door: string }) { return { ok: this.door === "open" } as { ok: true }; }
`;

/** A handler with these events. */
function events(map: string): string {
  return `${before}class My extends Methods { readonly events = ${map} satisfies EventMap<My>; }\nvoid My;`;
}

/** Statements. */
function code(statements: string): string {
  return `${before}${statements}`;
}

// `also` begins a second message: the base class asks a part of what the event map asks, for those who forget `satisfies`.
const mistakes: Record<string, { program: string; says: string[]; not?: string[]; also?: string }> = {
  "a misspelt method gets a suggestion": {
    program: events(`{ heartbeat: "handleBaet" }`),
    says: [`Type '"handleBaet"' is not assignable to type '"handleBeat" | `, `Did you mean '"handleBeat"'?`],
  },
  "a method that takes something else is told with what the event sends": {
    program: events(`{ heartbeat: "handleDate" }`),
    says: [`'"handleDate"'`, `'"handleBeat" | `, `TakesOtherArgumentsThan<[beat: { since: number; }], "handleDate">`],
  },
  "a method that replies something else is told with what the acknowledgement takes": {
    program: events(`{ heartbeat: "handleLate" }`),
    says: [`'"handleLate"'`, `RepliesSomethingElseThan<{ ok: true; }, "handleLate">`],
  },
  "a name is quoted when no method fits at all": {
    program: events(`{ connect: "handleBaet" }`),
    says: [`Type '"handleBaet"' is not assignable`, `"no public method fits"`, `TakesOtherArgumentsThan<[], `],
  },
  "a method by reference that takes something else is told argument by argument": {
    program: events(`{ heartbeat: this.handleDate }`),
    says: [
      `Types of parameters '_beat' and 'beat' are incompatible.`,
      `Type 'number' is not assignable to type 'Date'.`,
    ],
  },
  "a reply that comes later and does not fit is told by its value": {
    program: events(`{ heartbeat: this.handleLate }`),
    says: [`Type 'string' is not assignable to type 'void | { ok: true; } | undefined'.`],
  },
  "a forgotten context is told as the parameter it takes the place of": {
    program: events(`{ say: (text: string) => text.length }`),
    says: [`Types of parameters 'text' and 'context' are incompatible.`],
    also: "Property 'events' in type 'My' is not assignable to the same property in base type",
  },
  "a misspelt event gets a suggestion": {
    program: events(`{ hartbeat: "handleBeat" }`),
    says: [`'hartbeat' does not exist in type 'EventMap<My>'. Did you mean to write 'heartbeat'?`],
    also: "Property 'events' in type 'My' is not assignable to the same property in base type",
  },
  "an event that no client can send is told so": {
    program: events(`{ newListener: "handleBeat" }`),
    says: [`NotForSubscribers<"newListener is not an event that a client can send">`],
    also: "Property 'events' in type 'My' is not assignable to the same property in base type",
  },
  "a method of something else is told by its `this`": {
    program: events(`{ heartbeat: ofADoor }`),
    says: [`The 'this' types of each signature are incompatible.`, `Property 'door' is missing in type 'My'`],
  },
  "a misspelt option is told by its name": {
    program: events(`{ heartbeat: { run: "handleBeat", priorty: 1 } }`),
    says: [`'priorty' does not exist in type`, `Entry<`],
  },
  "a wrong option is told by its type": {
    program: events(`{ heartbeat: { run: "handleBeat", priority: "high" } }`),
    says: [`Types of property 'priority' are incompatible.`, `Type 'string' is not assignable to type 'number'.`],
    also: "Property 'events' in type 'My' is not assignable to the same property in base type",
  },
  "a misspelt method beside options gets a suggestion": {
    program: events(`{ heartbeat: { run: "handleBaet", priority: 1 } }`),
    says: [`Types of property 'run' are incompatible.`, `Did you mean '"handleBeat"'?`],
  },
  "a method that could do with a schema is told so": {
    program: events(`{ heartbeat: { run: "handleDate" } }`),
    says: [`Property 'input' is missing`, `NeedsInputFor<"handleDate", [_beat: { since: Date; }]`],
  },
  "a schema that makes something else than the method takes is told by the field": {
    program: events(`{ heartbeat: { run: "handleDate", input: z.object({ since: z.number() }) } }`),
    says: [`The types of 'value.since' are incompatible`, `Type 'number' is not assignable to type 'Date'.`],
  },
  "a schema for another event is told by what it has in common with the event: nothing": {
    program: events(
      `{ heartbeat: { run: "handleDate", input: z.object({ text: z.string() }).transform(() => ({ since: new Date() })) } }`,
    ),
    says: [`Type '{ text: string; }' has no properties in common with type '{ readonly since?: unknown; }'.`],
  },
  "a misspelt event of a subscription is told with the names there are": {
    program: code(`ingress.on("hartbeat", () => ({ ok: true }));`),
    says: [`Argument of type '"hartbeat"' is not assignable`, `"heartbeat"`, `"say"`],
    not: ["SubscribableEvent"],
  },
  "a subscriber that takes something else is told argument by argument": {
    program: code(`ingress.on("say", (_context, text: number) => text);`),
    says: [
      `Types of parameters 'text' and 'text' are incompatible.`,
      `Type 'string' is not assignable to type 'number'.`,
    ],
  },
  "a subscriber that replies something else is told by its reply": {
    program: code(`ingress.on("heartbeat", () => ({ ok: "yes" }));`),
    says: [`Type 'string' is not assignable to type 'true'.`],
  },
  "a misspelt option of a subscription gets a suggestion": {
    program: code(`ingress.on("say", () => {}, { priorty: 1 });`),
    says: [`Did you mean to write 'priority'?`],
  },
  "a schema that reads something else than the event sends is told with what it sends": {
    program: code(`ingress.on("heartbeat", () => ({ ok: true }), { input: z.object({ text: z.string() }) });`),
    says: [`ReadsSomethingElseThan<[beat: { since: number; }]>`],
  },
  "a priority for an event the handler does not have is told": {
    program: code(`class My extends Methods {
      readonly events = { heartbeat: "handleBeat" } satisfies EventMap<My>;
      override readonly eventPriorities = { hartbeat: 1 };
    }`),
    says: [`Property 'eventPriorities' in type 'My'`, `'{ hartbeat: number; }' has no properties in common with`],
  },
  "a map whose `satisfies` was forgotten is checked for its events": {
    program: code(`class My extends Methods { readonly events = { hartbeat: "handleBeat" }; }`),
    says: [`'{ hartbeat: string; }' has no properties in common with type 'HandlerEvents<App>'.`],
  },
  "a map whose `satisfies` was forgotten is checked for functions that forget the context": {
    program: code(`class My extends Methods { readonly events = { say: (text: string) => text }; }`),
    says: [`Types of parameters 'text' and 'context' are incompatible.`],
  },
  "an event that no client can send is told so on an untyped server too": {
    program: code(`untyped.on("newListener", () => {});`),
    says: [`NotForSubscribers<"newListener is not an event that a client can send">`],
  },
  "a listener for a push that is misspelt is told with the names there are": {
    program: code(`client.on("items_chnged", () => {});`),
    says: [`Argument of type '"items_chnged"' is not assignable`, `"items_changed"`, `"typing"`],
    not: ["keyof", "PushName"],
  },
  "a refetch on a misspelt signal is told with the names there are": {
    program: code(`client.refetchOnSocket("items_chnged", "get_item", () => {}, { payload: { id: 7 } });`),
    says: [`Argument of type '"items_chnged"' is not assignable`, `"items_changed"`, `"typing"`],
    not: ["overload", "keyof"],
  },
  "a refetch of a misspelt action is told with the names there are": {
    program: code(`client.refetchOnSocket("items_changed", "get_itm", () => {});`),
    says: [`Argument of type '"get_itm"' is not assignable`, `"get_item"`, `"items_between"`],
    not: ["overload"],
  },
  "a refetch without the payload its action needs is told that something is missing": {
    program: code(`client.refetchOnSocket("items_changed", "get_item", () => {});`),
    says: [`Expected 4 arguments, but got 3.`],
  },
  "a refetch whose options lack the payload is told so": {
    program: code(`client.refetchOnSocket("items_changed", "get_item", () => {}, { immediate: true });`),
    says: [`Property 'payload' is missing`, `{ payload: { id: number; } | undefined; }`],
    not: ["overload"],
  },
  "a refetch of an action with two arguments is told what to do instead": {
    program: code(`client.refetchOnSocket("items_changed", "items_between", () => {});`),
    says: [`'"items_between" & OnePayloadOnly'`],
  },
  "a misspelt signal of the server's shorthand gets a suggestion": {
    program: code(`void realtime.emitSocketRefetch("get_item", { event: "itmes_changed" });`),
    says: [`Type '"itmes_changed"' is not assignable to type`, `Did you mean '"items_changed"'?`],
  },
  "a notice that carries something else than the push of its name is told with what that carries": {
    program: code(`void realtime.notify({} as never, group("g"), 3.5, { event: "items_changed" });`),
    says: [`Argument of type 'number' is not assignable to parameter of type '{ source: string; }'.`],
  },
  "a handler whose events nobody checked is told with the events that need it": {
    program: code(
      `class My extends Methods { readonly events = { heartbeat: "handleBeat", say: "say", connection: this.say }; say(_: EventContext<App>) {} }\nmanager.registerHandler(new My());`,
    ),
    says: [`EventsNeedSatisfiesEventMap<"heartbeat" | "say">`],
  },
  "what is neither handler nor controller has no events for a client": {
    program: code(`declare const events: EventsOf<ClientToServer>; void events;`),
    says: [`Type 'ClientToServer' does not satisfy the constraint 'EventSource | readonly EventSource[]'.`],
  },
};

describe("the compiler's messages", () => {
  const messages = new Map<string, string[]>();

  beforeAll(() => {
    const titles = Object.keys(mistakes);
    const sources = new Map(titles.map((title, i) => [`${folder}${i}.ts`, mistakes[title]?.program ?? ""]));
    const { config } = ts.readConfigFile(`${repository}tsconfig.json`, (path) => ts.sys.readFile(path));
    const { options } = ts.parseJsonConfigFileContent(config, ts.sys, repository);
    const host = ts.createCompilerHost(options);
    const { fileExists, readFile, getSourceFile } = host;
    host.fileExists = (path) => sources.has(path) || fileExists.call(host, path);
    host.readFile = (path) => sources.get(path) ?? readFile.call(host, path);
    host.getSourceFile = (path, language, ...rest) => {
      const source = sources.get(path);
      if (source === undefined) return getSourceFile.call(host, path, language, ...rest);
      return ts.createSourceFile(path, source, language);
    };
    const program = ts.createProgram([...sources.keys()], options, host);
    titles.forEach((title, i) => {
      const file = program.getSourceFile(`${folder}${i}.ts`);
      const found = program.getSemanticDiagnostics(file);
      messages.set(
        title,
        found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n")),
      );
    });
  }, 60_000);

  test.each(Object.entries(mistakes))("%s", (title, { says, not = [], also }) => {
    const all = messages.get(title) ?? [];
    const found = all.filter((message) => also === undefined || !message.startsWith(also));
    expect(found, all.join("\n\n")).toHaveLength(1);
    expect(all).toHaveLength(also === undefined ? 1 : 2);
    for (const part of says) expect(found[0]).toContain(part);
    for (const part of not) expect(found[0]).not.toContain(part);
  });
});
