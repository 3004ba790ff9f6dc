/** Names in which a socket's own life is told. Subscribers may have them, no client can make one run. */
export type ReservedEventName = "connect" | "connection" | "disconnecting" | "disconnect";

/** Names that are nobody's event: Node's and Socket.IO's own, which never reach a subscriber. */
export type ForbiddenEventName = "error" | "connect_error" | "newListener" | "removeListener";

/** Names that neither end can emit: `RESERVED_EVENTS` of Socket.IO (`socket.ts`; `lib/index.ts` of socket.io-parser). */
export type UnsendableEventName = Exclude<ReservedEventName | ForbiddenEventName, "connection" | "error">;

/** The {@link ReservedEventName}s. */
export const reservedEvents: ReadonlySet<string> = /* @__PURE__ */ new Set<ReservedEventName>([
  "connect",
  "connection",
  "disconnecting",
  "disconnect",
]);

/** The {@link ForbiddenEventName}s. */
export const forbiddenEvents: ReadonlySet<string> = /* @__PURE__ */ new Set<ForbiddenEventName>([
  "error",
  "connect_error",
  "newListener",
  "removeListener",
]);

/** What every name of ours begins with, so that an application's own events can't clash with it. */
export const ownPrefix = "ingress:";

/** Whether Socket.IO lets nobody emit this name: its JSON parser ends the connection of a client that does, a custom one may not. */
export function isUnsendable(event: unknown): boolean {
  if (event === "connection" || event === "error") return false;
  return typeof event === "string" && isKept(event);
}

/** Whether this name is no application's: reserved or forbidden. */
export function isKept(event: string): boolean {
  return reservedEvents.has(event) || forbiddenEvents.has(event);
}
