/**
 * The load client, a process of its own. The runner tells it over IPC what to open, to send and to close; it answers
 * each command with what it counted.
 */
import { callFrames, openMany } from "./connection.mjs";
import { serveCommands } from "../measure/processes.mjs";

/** Groups of connections by the name the runner gave them. */
const groups = new Map();
/** The pushes each group waits for. */
const expected = new Map();

/** What `work` on connections resolves to; rejects when one of them is lost, whose replies would be waited for for ever. */
function whileOpen(connections, work) {
  return new Promise((resolve, reject) => {
    const lost = () => reject(new Error("a connection was lost"));
    if (connections.some(({ closed }) => closed)) return lost();
    for (const connection of connections) connection.onLost = lost;
    work(connections).then(resolve, reject);
  });
}

serveCommands({
  async open({ group, port, namespaces, count, atOnce }) {
    groups.set(group, await openMany(port, namespaces, count, atOnce));
  },
  close({ group }) {
    for (const connection of groups.get(group)) connection.close();
    groups.delete(group);
  },
  /** Whether a group is whole: connections lost and wrong replies so far. */
  check({ group }) {
    const all = groups.get(group);
    return {
      open: all.filter((connection) => !connection.closed).length,
      bad: all.reduce((sum, connection) => sum + connection.bad, 0),
      badReply: all.find((connection) => connection.badReply)?.badReply,
    };
  },
  /** Calls in a closed loop: each connection keeps `inFlight` calls under way until the time is over. */
  calls: ({ group, durationMs, active, ...call }) =>
    whileOpen(groups.get(group).slice(0, active), (connections) => closedLoop(connections, call, durationMs)),
  /** The calls at a fixed rate, for latencies that do not depend on how busy the server is. */
  paced: ({ group, durationMs, everyMs, ...call }) =>
    whileOpen(groups.get(group), (connections) => pacedLoop(connections, call, durationMs, everyMs)),
  /** One call of each of `names` on each connection (or the first `active`), one after another; ten connections at a time. */
  once: ({ group, names, before, active }) =>
    whileOpen(groups.get(group).slice(0, active), (connections) => callOnce(connections, names, before)),
  /** Joins a topic on each connection, one after another, so that the server's rooms are filled in the order of the connections. */
  join: ({ group, topic }) => whileOpen(groups.get(group), (connections) => joinInOrder(connections, topic)),
  /** From here on pushes are counted: `each` of them on `receivers` of the connections. */
  expectPushes({ group, receivers, each }) {
    const all = groups.get(group);
    const counts = all.map(() => 0);
    let missing = receivers * each;
    const done = new Promise((resolve) => {
      all.forEach((connection, index) => {
        connection.onPushes = (count) => {
          counts[index] += count;
          missing -= count;
          if (missing === 0) resolve();
        };
      });
    });
    expected.set(group, { done, counts, receivers, each });
  },
  /** Resolves to the number of pushes when all that were expected have come, each where it should. */
  async arrived({ group }) {
    const { done, counts, receivers, each } = expected.get(group);
    const late = new Promise((_resolve, reject) => setTimeout(reject, 10_000, new Error("pushes were lost")).unref());
    await Promise.race([done, late]);
    const had = counts.filter((count) => count > 0);
    if (had.length !== receivers || had.some((count) => count !== each))
      throw new Error(`${had.length} connections had between ${Math.min(...had)} and ${Math.max(...had)} pushes`);
    return counts.reduce((sum, count) => sum + count, 0);
  },
  /** `rounds` times: one connection calls `event`, and the round is over when every connection has had its pushes. */
  broadcasts: ({ group, ...options }) =>
    whileOpen(groups.get(group), (connections) => allBroadcasts(connections, options)),
});

async function joinInOrder(connections, topic) {
  // As a client that reads positions: of topics with history it gets its pushes with them.
  const bytes = callFrames("ingress:join", 1, { before: [topic], argument: true });
  for (const connection of connections) {
    const { tail } = connection;
    connection.tail = Buffer.from("[{}]");
    await new Promise((resolve) => {
      connection.onReplies = resolve;
      connection.tcp.write(bytes);
    });
    connection.tail = tail;
  }
}

async function callOnce(connections, names, before) {
  const frames = names.map((name) => callFrames(name, 1, { before }));
  const waiting = [...connections];
  let replies = 0;
  const worker = async () => {
    for (let connection = waiting.pop(); connection !== undefined; connection = waiting.pop()) {
      for (const bytes of frames) {
        const found = await new Promise((resolve) => {
          connection.onReplies = resolve;
          connection.tcp.write(bytes);
        });
        replies += found; // not in one expression: ten workers would read the sum before they wait
      }
    }
  };
  await Promise.all(Array.from({ length: 10 }, worker));
  return { replies };
}

async function allBroadcasts(all, { event, namespace, rounds, pushesEach }) {
  const trigger = callFrames(event, 1, { namespace });
  const latencies = [];
  const started = performance.now();
  for (let round = 0; round < rounds; round++) {
    const sent = performance.now();
    await new Promise((resolve) => {
      let missing = all.length * pushesEach + 1;
      const arrived = (count) => {
        missing -= count;
        if (missing === 0) resolve();
      };
      for (const connection of all) {
        connection.onPushes = arrived;
        connection.onReplies = arrived;
      }
      all[0].tcp.write(trigger);
    });
    latencies.push(performance.now() - sent);
  }
  return { events: rounds * pushesEach * all.length, ms: performance.now() - started, ...percentiles(latencies) };
}

function closedLoop(connections, { event, namespace, inFlight, mode = "burst", before }, durationMs) {
  return new Promise((resolve) => {
    const started = performance.now();
    const until = started + durationMs;
    let events = 0;
    let busy = connections.length;
    const latencies = [];
    for (const connection of connections) {
      // One buffer for every possible number of calls: in a burst all are sent together, sliding sends what was answered.
      const bySize = Array.from({ length: inFlight + 1 }, (_, n) => callFrames(event, n, { namespace, before }));
      const sentAt = [];
      let open = inFlight;
      const send = (count, now) => {
        for (let i = 0; i < count; i++) sentAt.push(now);
        connection.tcp.write(bySize[count]);
      };
      connection.onReplies = (count) => {
        const now = performance.now();
        events += count;
        open -= count;
        for (let i = 0; i < count; i++) latencies.push(now - sentAt.shift());
        if (mode === "burst") {
          if (open > 0) return;
          if (now < until) {
            open = inFlight;
            send(inFlight, now);
          } else finish();
        } else {
          if (now < until) {
            open += count;
            send(count, now);
          } else if (open === 0) finish();
        }
      };
      const finish = () => {
        connection.onReplies = () => {};
        if (--busy === 0) resolve({ events, ms: performance.now() - started, ...percentiles(latencies) });
      };
      send(inFlight, performance.now());
    }
  });
}

function pacedLoop(connections, { event, namespace, inFlight, before }, durationMs, everyMs) {
  return new Promise((resolve) => {
    const started = performance.now();
    let events = 0;
    let late = 0;
    let busy = connections.length;
    const latencies = [];
    connections.forEach((connection, index) => {
      const frames = callFrames(event, inFlight, { namespace, before });
      let open = 0;
      let sent = 0;
      connection.onReplies = (count) => {
        events += count;
        open -= count;
        const took = performance.now() - sent;
        for (let i = 0; i < count; i++) latencies.push(took);
      };
      const tick = () => {
        if (performance.now() - started > durationMs) {
          if (open > 0) return void setTimeout(tick, 1);
          connection.onReplies = () => {};
          if (--busy === 0) resolve({ events, late, ms: performance.now() - started, ...percentiles(latencies) });
          return;
        }
        setTimeout(tick, everyMs);
        if (open > 0) return void late++;
        open = inFlight;
        sent = performance.now();
        connection.tcp.write(frames);
      };
      setTimeout(tick, (index * everyMs) / connections.length);
    });
  });
}

function percentiles(values) {
  values.sort((a, b) => a - b);
  const at = (share) => values[Math.min(values.length - 1, Math.floor(values.length * share))] ?? 0;
  return { p50Ms: at(0.5), p99Ms: at(0.99) };
}
