// What `socket.conn.transport.name` says of plain clients. Engine.IO's own are `polling`, `websocket` and `webtransport`.

/** An event stream. */
export const EVENT_STREAM = "sse";

/** A WebSocket without a library. */
export const PLAIN_WEBSOCKET = "plain";
