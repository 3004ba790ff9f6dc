/** Plain clients, in a process of their own: event streams and WebSockets that count what they are told. */
import { get } from "node:http";
import { WebSocket } from "ws";
import { serveCommands } from "../measure/processes.mjs";

const NEWS = { sse: "event: news", ws: '"event":"news"' };

const groups = new Map();
let expected;

/** Counts a text in what comes in pieces. */
function counter(text, onCount) {
  let tail = "";
  return (chunk) => {
    const all = tail + chunk;
    let count = 0;
    let end = 0;
    for (let at = all.indexOf(text); at >= 0; at = all.indexOf(text, end)) {
      count++;
      end = at + text.length;
    }
    tail = all.slice(Math.max(end, all.length - text.length + 1));
    if (count > 0) onCount(count);
  };
}

function openStream(url, client) {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: false }, (response) => {
      response.setEncoding("latin1");
      response.on("error", () => undefined);
      response.on(
        "data",
        counter(NEWS.sse, (count) => client.onCount?.(count)),
      );
      client.stop = () => response.pause();
      client.close = () => response.destroy();
      if (response.statusCode === 200) resolve();
      else reject(new Error(`the server answered ${response.statusCode}`));
    });
    request.on("error", reject);
  });
}

function openSocket(url, client) {
  return new Promise((resolve, reject) => {
    const ws = new WebSocket(url);
    ws.on("error", reject);
    ws.on("open", () => ws.send('{"unsubscribe":"none"}'));
    ws.on("message", (data) => {
      const text = String(data);
      if (text.includes(NEWS.ws)) client.onCount?.(1);
      else if (text.includes("unsubscribed")) resolve();
    });
    client.stop = () => ws.pause();
    client.close = () => ws.terminate();
  });
}

serveCommands({
  async open({ group, kind, port, topic, count }) {
    const clients = Array.from({ length: count }, () => ({}));
    for (let i = 0; i < count; i += 50) {
      await Promise.all(
        clients
          .slice(i, i + 50)
          .map((client) =>
            kind === "sse"
              ? openStream(`http://127.0.0.1:${port}/events?${topic}`, client)
              : openSocket(`ws://127.0.0.1:${port}/ws?${topic}`, client),
          ),
      );
    }
    groups.set(group, clients);
  },
  stop({ group }) {
    groups.get(group)[0].stop();
  },
  close({ group }) {
    for (const client of groups.get(group)) client.close();
    groups.delete(group);
  },
  /** From here on pushes are counted: `each` of them on all but the first `without` of a group. */
  expect({ group, each, without = 0 }) {
    const clients = groups.get(group).slice(without);
    let missing = clients.length * each;
    expected = new Promise((resolve, reject) => {
      const late = setTimeout(reject, 60_000, new Error("pushes were lost"));
      for (const client of clients) {
        client.onCount = (count) => {
          missing -= count;
          if (missing > 0) return;
          clearTimeout(late);
          resolve(clients.length * each);
        };
      }
    });
    expected.catch(() => undefined);
  },
  arrived: () => expected,
});
