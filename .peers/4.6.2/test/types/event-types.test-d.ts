import { type Logger as Pino, pino } from "pino";
import type { DefaultEventsMap, Server } from "socket.io";
import type {
  EmitEventsOf,
  EventArgs,
  EventName,
  EventReply,
  EventValue,
  Failure,
  ListenEventsOf,
  Logger,
  LogLine,
  ServerSideEventsOf,
  SocketDataOf,
} from "socket-ingress";
import { expectTypeOf } from "vitest";

interface Listen {
  say(text: string): void;
  error(): void;
  connect(): void;
}
interface Emit {
  presence(who: string[]): void;
}
interface Between {
  ping(): void;
}
type App = Server<Listen, Emit, Between, { user: string }>;

// --- the four types of a server -------------------------------------------------------------------------------------------------

expectTypeOf<ListenEventsOf<App>>().toEqualTypeOf<Listen>();
expectTypeOf<EmitEventsOf<App>>().toEqualTypeOf<Emit>();
expectTypeOf<ServerSideEventsOf<App>>().toEqualTypeOf<Between>();
expectTypeOf<SocketDataOf<App>>().toEqualTypeOf<{ user: string }>();
expectTypeOf<ListenEventsOf<Server>>().toEqualTypeOf<DefaultEventsMap>();
expectTypeOf<SocketDataOf<Server>>().toBeAny();
expectTypeOf<ListenEventsOf<string>>().toBeNever();
// What no client can send is no name of a client's event, whatever the application declares.
expectTypeOf<EventName<App>>().toEqualTypeOf<"say">();

// --- arguments: all but the acknowledgement ---------------------------------------------------------------------------------------

expectTypeOf<EventArgs<() => void>>().toEqualTypeOf<[]>();
expectTypeOf<EventArgs<(a: string, b: number) => void>>().toEqualTypeOf<[a: string, b: number]>();
expectTypeOf<EventArgs<(a: string, reply: (n: number) => void) => void>>().toEqualTypeOf<[a: string]>();
expectTypeOf<EventArgs<(a: string, reply?: (n: number) => void) => void>>().toEqualTypeOf<[a: string]>();
expectTypeOf<EventArgs<(a?: string, reply?: () => void) => void>>().toEqualTypeOf<[a?: string | undefined]>();
expectTypeOf<EventArgs<(a: string, b?: number) => void>>().toEqualTypeOf<[a: string, b?: number | undefined]>();
expectTypeOf<EventArgs<(a: string, ...more: number[]) => void>>().toEqualTypeOf<[a: string, ...more: number[]]>();
expectTypeOf<EventArgs<(a: any) => void>>().toEqualTypeOf<[a: any]>();
expectTypeOf<EventArgs<DefaultEventsMap[string]>>().toEqualTypeOf<any[]>();
expectTypeOf<EventArgs<any>>().toEqualTypeOf<any[]>();

// --- the reply: what the acknowledgement takes first -------------------------------------------------------------------------------

expectTypeOf<EventReply<(reply: (r: { ok: true }) => void) => void>>().toEqualTypeOf<{ ok: true }>();
expectTypeOf<EventReply<(a: string, reply?: (n: number) => void) => void>>().toEqualTypeOf<number>();
expectTypeOf<EventReply<(reply: () => void) => void>>().toEqualTypeOf<undefined>();
expectTypeOf<EventReply<(reply: (n?: number) => void) => void>>().toEqualTypeOf<number | undefined>();
// Without one, nobody knows.
expectTypeOf<EventReply<(a: string) => void>>().toBeUnknown();
expectTypeOf<EventReply<DefaultEventsMap[string]>>().toBeUnknown();
// Socket.IO's convention for acknowledgements that are used with a timeout.
expectTypeOf<EventReply<(reply: (error: Error, n: number) => void) => void>>().toEqualTypeOf<number>();
expectTypeOf<EventValue<(reply: (n: number | Failure) => void) => void>>().toEqualTypeOf<number>();
expectTypeOf<EventValue<(a: string) => void>>().toBeUnknown();

// --- the logger: pino as it is, or seven members --------------------------------------------------------------------------------------

const line =
  (level: string): LogLine =>
  (fields: object | string, message?: string) =>
    process.stdout.write(`${level} ${JSON.stringify(fields)} ${message}\n`);
const plain: Logger = {
  trace: () => {},
  debug: () => {},
  info: line("info"),
  warn: line("warn"),
  error: line("error"),
  fatal: line("fatal"),
  child: () => plain,
};
expectTypeOf(pino()).toExtend<Logger>();
expectTypeOf<Pino<"audit">>().toExtend<Logger>();
plain.info({ event: "say" }, "answered");
plain.child({ handler: "presence" }).warn("slow");
// @ts-expect-error no child
const childless: Logger = { trace() {}, debug() {}, info() {}, warn() {}, error() {}, fatal() {} };
// @ts-expect-error a message is text
plain.info({ event: "say" }, 5);
// @ts-expect-error neither fields nor message
plain.error(5);
void childless;
