import {
  BurstyRateLimiter,
  type RateLimiterMemory,
  type RateLimiterRedis,
  RateLimiterUnion,
} from "rate-limiter-flexible";
import type { Server } from "socket.io";
import { type LimitedBy, type LimiterStore, Limits, type RateOptions } from "socket-ingress/limits";
import type { Realtime } from "socket-ingress/realtime";
import { expectTypeOf } from "vitest";

interface ClientToServer {
  say(text: string, reply: (r: { id: number }) => void): void;
  login(name: string): void;
}
type App = Server<ClientToServer, Record<string, never>, Record<string, never>, { user?: string }>;

declare const realtime: Realtime<App>;
declare const redis: RateLimiterRedis;
declare const memory: RateLimiterMemory;
const limits = Limits.recommended<App>({ realtime });
const minute = { points: 10, durationMs: 60_000 };

// --- what compiles ----------------------------------------------------------------------------------------------------------

expectTypeOf(limits).toEqualTypeOf<Limits<App>>();
expectTypeOf(Limits.recommended({ realtime })).toEqualTypeOf<Limits<App>>();
expectTypeOf(new Limits({ realtime, trustProxy: 1 })).toEqualTypeOf<Limits<App>>();
expectTypeOf(limits.rate({ name: "talk", events: ["say", "login"], ...minute })).toEqualTypeOf<() => void>();
limits.rate({ name: "all", events: "all", ...minute, by: "connection", observe: true });
limits.rate({ name: "joins", events: ["ingress:join"], ...minute });
limits.rate({
  name: "user",
  events: ["say"],
  ...minute,
  by: ({ socket, args: [text] }) => (text === "" ? undefined : socket.data.user),
});
limits.rate({ name: "redis", events: ["say"], store: redis });
for (const store of [redis, memory, new RateLimiterUnion(redis)] satisfies LimiterStore[])
  limits.rate({ name: "store", events: ["say"], ...minute, store });
limits.rate({ name: "bursty", events: ["say"], ...minute, store: new BurstyRateLimiter(memory, memory) });
limits.connections({
  max: 1_000,
  perUser: 5,
  perIp: 50,
  whenUserIsFull: "closeOldest",
  idleMs: 300_000,
  joinWithinMs: 5_000,
});
limits.slowConsumers({ maxBytes: 1_000_000 });
new Limits({ realtime, trustProxy: 1, onLimited: ({ limit, observed }) => void [limit, observed] });
new Limits().rate({ name: "untyped", events: ["anything"], ...minute });
expectTypeOf<RateOptions<App>["by"]>().toEqualTypeOf<LimitedBy<App> | undefined>();

// --- what does not ------------------------------------------------------------------------------------------------------------

// @ts-expect-error no client sends this event
limits.rate({ name: "x", events: ["sya"], ...minute });
// @ts-expect-error not by socket: a client has a new one whenever it likes
limits.rate({ name: "x", events: ["say"], ...minute, by: "socket" });
// @ts-expect-error a budget has a name, not a number
limits.rate({ name: "x", events: ["say"], ...minute, by: () => 7 });
// @ts-expect-error a rate has a name
limits.rate({ events: ["say"], ...minute });
// @ts-expect-error no store: it has no consume
limits.rate({ name: "x", events: ["say"], store: {} });
// @ts-expect-error there is no such option
limits.connections({ perSocket: 5 });
// @ts-expect-error who goes is the new one or the oldest
limits.connections({ perUser: 5, whenUserIsFull: "closeNewest" });
// @ts-expect-error it is said in bytes
limits.slowConsumers({ max: 1 });
// @ts-expect-error how many, not whether
new Limits({ trustProxy: true });
