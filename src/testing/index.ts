export { fakeServer, type FakeConnectOptions, type FakeServer, type FakeServerMethods, type FakeServerOptions } from "./fake-server.js";
export {
  FakeSocket,
  type FakeDisconnectReason,
  type FakeSocketEvents,
  type SentEvent,
  type SentName,
} from "./fake-socket.js";
export { type FakeRequest, type LostReason } from "./fake-connection.js";
export { Link, type Direction } from "./link.js";
export { ConnectRefused } from "./refused.js";
