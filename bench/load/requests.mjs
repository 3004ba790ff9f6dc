/** A client of HTTP routes, a process of its own: requests made beforehand, on connections that stay open, and answers found by their heads. */
import { once } from "node:events";
import { connect } from "node:net";
import { serveCommands } from "../measure/processes.mjs";
import { payload } from "./workload.mjs";

const connections = [];

const created = Buffer.from("HTTP/1.1 201 ");
const anyHead = Buffer.from("HTTP/1.1 ");

/** How often a text is in a chunk. */
function count(chunk, text) {
  let found = 0;
  for (let at = chunk.indexOf(text); at >= 0; at = chunk.indexOf(text, at + text.length)) found++;
  return found;
}

serveCommands({
  async open({ port, connections: howMany }) {
    for (let i = 0; i < howMany; i++) {
      const tcp = connect({ port, host: "127.0.0.1", noDelay: true });
      await once(tcp, "connect");
      connections.push(tcp);
    }
  },
  /** So many requests on each connection, one after another. Resolves to how many were answered; rejects unless all were `201`. */
  async requests({ path, each }) {
    const body = JSON.stringify(payload);
    const bytes = Buffer.from(
      `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await Promise.all(
      connections.map(
        (tcp) =>
          new Promise((resolve, reject) => {
            let answered = 0;
            const settle = (settled, value) => {
              tcp.off("data", read).off("close", lost);
              settled(value);
            };
            const lost = () => settle(reject, new Error("a connection was lost"));
            // An answer is smaller than a packet, so its head is never cut.
            const read = (chunk) => {
              const good = count(chunk, created);
              if (good !== count(chunk, anyHead)) return settle(reject, new Error(chunk.toString("utf8", 0, 100)));
              answered += good;
              if (answered >= each) return settle(resolve);
              if (good > 0) tcp.write(bytes);
            };
            tcp.on("data", read).on("close", lost);
            tcp.write(bytes);
          }),
      ),
    );
    return connections.length * each;
  },
});
