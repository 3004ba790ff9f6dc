/** What presence costs: frames and bytes that a server writes when a crowd joins, and when it comes back. Counts, and exact. */
import { mock } from "node:test";
import { loadDoor, ServiceManager } from "../contestants/build.mjs";
import { table } from "../measure/table.mjs";

export const name = "presence";

const cases = [
  { members: 1_000, max: Infinity, joins: { frames: 20, bytes: 3 }, returns: { bytes: 50 } },
  { members: 5_000, max: 500, joins: { frames: 20, bytes: 20 }, returns: { bytes: 50 } },
  { members: 5_000, max: Infinity, joins: { frames: 20 }, returns: { bytes: 50 } },
];
const graceMs = 60_000;
const userOf = (n) => `user-${n}`;
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** What it was when each change was a frame to everybody and each answer carried the whole state. */
function before(members) {
  const sent = { joins: { frames: 0, bytes: 0 }, returns: { frames: members, bytes: 0 } };
  let list = 0;
  for (let n = 0; n < members; n++) {
    const change = `2["ingress:presence",{"topic":"room","joined":[{"user":"${userOf(n)}"}]}]`.length;
    list += `{"user":"${userOf(n)}"},`.length;
    sent.joins.frames += n + 2;
    sent.joins.bytes += (n + 1) * change + `30[{"presence":[]}]`.length + list - 1;
  }
  sent.returns.bytes = members * (`30[{"presence":[]}]`.length + list - 1);
  return sent;
}

/** Counts one case. */
async function count({ members, max }) {
  const [{ Realtime }, { fakeServer }] = [await loadDoor("realtime"), await loadDoor("testing")];
  mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  try {
    const io = fakeServer();
    const realtime = new Realtime({ user: ({ handshake }) => handshake.auth.user, presence: { graceMs } });
    realtime.topics.define("room", { public: true, presence: { max } });
    const manager = new ServiceManager(io).registerHandler(realtime);
    await manager.boot();
    let sent = { frames: 0, bytes: 0 };
    const take = () => {
      const taken = sent;
      sent = { frames: 0, bytes: 0 };
      return taken;
    };
    const people = Array.from({ length: members }, () => ({}));
    const enter = async (n) => {
      const person = people[n];
      const receive = (frame) => {
        if (!frame.startsWith("3") && !frame.startsWith('2["ingress:presence"')) return;
        sent.frames++;
        sent.bytes += frame.length;
        const version = frame.lastIndexOf('"version":[');
        if (version >= 0) person.version = JSON.parse(frame.slice(version + 10, frame.indexOf("]", version) + 1));
      };
      person.connection = io.engine.open({}, { receive, lost() {} });
      person.connection.incoming(`0${JSON.stringify({ user: userOf(n) })}`);
      await turn();
      const topic = person.version === undefined ? "room" : { topic: "room", presence: person.version };
      person.connection.incoming(`20${JSON.stringify(["ingress:join", topic])}`);
      await turn();
    };
    for (let n = 0; n < members; n++) {
      await enter(n);
      mock.timers.tick(1);
    }
    mock.timers.tick(100);
    const joins = take();
    for (const { connection } of people) connection.lose("transport close");
    await turn();
    take();
    for (let n = 0; n < members; n++) await enter(n);
    mock.timers.tick(100);
    const returns = take();
    if (realtime.list("room").length !== members) throw new Error("somebody is missing");
    return { joins, returns };
  } finally {
    mock.timers.reset();
  }
}

/** Counts every case. */
export async function run({ log }) {
  const rows = [];
  for (const { members, max, ...targets } of cases) {
    const [was, is] = [before(members), await count({ members, max })];
    for (const what of ["joins", "returns"]) {
      for (const [unit, target] of Object.entries(targets[what])) {
        rows.push({ members, max: String(max), what, unit, target, was: was[what][unit], is: is[what][unit] });
        log(`${members} ${what}, max ${max}: ${is[what][unit]} ${unit}, were ${was[what][unit]}`);
      }
    }
  }
  return rows;
}

const titles = { joins: "join, one a millisecond", returns: "come back within the grace period" };
const whole = (value) => value.toLocaleString("en-US");

/** The section of RESULTS.md. */
export const render = (rows) => `## Presence

Frames about presence (answers to joins, and changes) and their bytes, counted where the server writes what it has encoded, in memory and
with a clock that the count moves: exact, and the same in each run. One topic, users named \`user-0\` and so on, of whom nothing else is said. Before:
each change was a frame to everybody, and each answer carried everybody.

${table(
  [
    ["users", (row) => `${whole(row.members)} ${titles[row.what]}, \`max: ${row.max}\``],
    ["", (row) => row.unit],
    ["before", (row) => whole(row.was)],
    ["now", (row) => whole(row.is)],
    ["of before", (row) => `1/${(row.was / row.is).toFixed(1)}`],
    ["target", (row) => `1/${row.target} ${row.is * row.target <= row.was ? "kept" : "**missed**"}`],
  ],
  rows,
)}
`;
