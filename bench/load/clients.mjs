/** Clients as applications have them, socket.io-client with the client door on it, in a process of their own. */
import { io } from "socket.io-client";
import { loadDoor } from "../contestants/build.mjs";
import { serveCommands } from "../measure/processes.mjs";

const { createClient } = await loadDoor("client");
/** What each client was told last. */
const latest = new Map();

serveCommands({
  async open({ port, count }) {
    for (let i = 0; i < count; i++) {
      const socket = io(`http://127.0.0.1:${port}`, { transports: ["websocket"], forceNew: true });
      createClient(socket).refetchOnSocket("items_changed", "get_items", (items) => latest.set(socket, items));
      await new Promise((resolve, reject) => {
        socket.once("connect", resolve);
        socket.once("connect_error", reject);
      });
    }
  },
  latest: () => [...latest.values()],
});
