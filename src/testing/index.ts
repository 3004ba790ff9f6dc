export { fakeServer, type FakeConnectOptions, type FakeServer, type FakeServerMethods, type FakeServerOptions } from "./fake-server.js";
export {
  type FakeSocket,
  type FakeDisconnectReason,
  type FakeSocketEvents,
  type SentEvent,
  type SentName,
} from "./fake-socket.js";
export { type FakeRequest, type LostReason } from "./fake-connection.js";
export { Link, type Direction } from "./link.js";
export { ConnectRefused } from "./refused.js";
export { inMemory, type InMemoryApp, type InMemoryClient, type InMemoryConnectOptions } from "./in-memory.js";
export { memoryCluster, type MemoryCluster } from "./memory-cluster.js";
