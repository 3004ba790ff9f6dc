/**
 * What every contestant serves and every client sends: the events, the payload, the schema and the reply.
 * One place, so that no contestant does less work than another.
 */

/** The argument of every event. With the name `sync1` and a one-digit acknowledgement id the packet is 82 bytes. */
export const payload = { id: 7, room: "lobby", text: "hello, is anybody else here tonight?" };

/** What a subscriber that answers returns. Built anew for each event, as an application would. */
export const replyTo = (data) => ({ ok: true, id: data.id });

/** The end of an encoded acknowledgement, which the load client looks for in each frame. */
export const replyTail = '{"ok":true,"id":7}]';

/**
 * The measured events. The last subscriber answers, the ones before it count.
 *
 * - `sync`: plain functions;
 * - `async`: `async` functions that await once;
 * - `schema`: the payload is checked by zod before the subscriber runs.
 */
export const events = [
  { name: "sync1", kind: "sync", subscribers: 1 },
  { name: "sync3", kind: "sync", subscribers: 3 },
  { name: "sync10", kind: "sync", subscribers: 10 },
  { name: "async1", kind: "async", subscribers: 1 },
  { name: "async3", kind: "async", subscribers: 3 },
  { name: "schema1", kind: "schema", subscribers: 1 },
];

/** Names of `count` further events: what an application has registered beside the one that is measured. */
export const moreEvents = (count) => Array.from({ length: count }, (_, index) => `event_${index}`);

/** How often a subscriber that does not answer has run: work the optimiser can't remove. */
export const counted = { runs: 0 };

/** The settings of every Socket.IO server here: one transport, no compression, pings out of the way. */
export const serverOptions = {
  transports: ["websocket"],
  serveClient: false,
  perMessageDeflate: false,
  pingInterval: 300_000,
  pingTimeout: 300_000,
};

/** The schema of {@link payload}, built with the `z` of the caller: zod 3 for zod-sockets, zod 4 for all others. */
export const payloadSchema = (z) => z.object({ id: z.number(), room: z.string(), text: z.string() });
