/**
 * One client asks to enter a namespace again and again: what does that cost the server, beside as many bytes of events that nobody
 * handles? `npx tsx bench/adversarial/connects.ts [rounds]`. A server process with `socket-ingress`; both take turns, each on a connection
 * of its own, and each round is compared with itself.
 */
import { Contestant } from "../../test/adversarial/contestant.ts";
import { RawClient } from "../../test/fixtures/raw-client.ts";
import { RawPolling } from "../../test/fixtures/raw-polling.ts";
import { median, pairedRatio, turns } from "../measure/statistics.mjs";
import { writeSection } from "./results.ts";

const rounds = Number(process.argv[2] ?? 60);
const CONNECT = "40";
const UNKNOWN = '42["nobody"]';
const POST_BYTES = 300_000;
const FRAMES = 500;

await using server = await Contestant.start(new URL("./flooded.ts", import.meta.url), { NODE_ENV: "production" });
const { ours } = await server.command<{ ours: number }>("ports");
const url = `http://127.0.0.1:${ours}`;

const cpu = async (): Promise<number> => {
  const { user, system } = await server.command<NodeJS.CpuUsage>("cpu");
  return user + system;
};
const bytesOf = (packet: string, bytes: number): string[] =>
  Array.from({ length: Math.ceil(bytes / (packet.length + 1)) }, () => packet);

/** CPU time of the server in microseconds, for what one connection sends in one request. */
async function byPost(packets: readonly string[]): Promise<number> {
  const client = await RawPolling.open(url);
  await client.post([CONNECT]);
  const before = await cpu();
  await client.post(packets);
  return (await cpu()) - before;
}

/** The same for one WebSocket, each packet in a frame of its own. */
async function byFrames(packets: readonly string[]): Promise<number> {
  const client = await RawClient.connect(url);
  const before = await cpu();
  for (const packet of packets) client.frame(packet);
  // Behind what was sent, if the connection still lives; the command itself comes by another way.
  await client.call(["honest", 1]).catch(() => undefined);
  const took = (await cpu()) - before;
  client.terminate();
  return took;
}

const ways = {
  post: { send: byPost, connects: bytesOf(CONNECT, POST_BYTES), unknown: bytesOf(UNKNOWN, POST_BYTES) },
  frames: {
    send: byFrames,
    connects: Array.from({ length: FRAMES }, () => CONNECT),
    unknown: bytesOf(UNKNOWN, FRAMES * (CONNECT.length + 1)),
  },
};
const kinds = ["connects", "unknown", "same"] as const;
type Kind = (typeof kinds)[number];

const rows: string[] = [];
for (const [name, { send, connects, unknown }] of Object.entries(ways)) {
  const packets: Record<Kind, string[]> = { connects, unknown, same: unknown };
  const took: Record<Kind, number[]> = { connects: [], unknown: [], same: [] };
  for (let i = 0; i < 5; i++) for (const kind of kinds) await send(packets[kind]);
  for (const order of turns([...kinds], rounds) as Kind[][]) {
    for (const kind of order) took[kind].push(await send(packets[kind]));
  }
  const title = name === "post" ? "one polling request of 300 kB" : "500 frames of one WebSocket";
  const control = pairedRatio(took.same, took.unknown);
  const cells = [
    title,
    (median(took.connects) / 1_000).toFixed(2),
    (median(took.unknown) / 1_000).toFixed(2),
    control > 0.9 && control < 1.1 ? pairedRatio(took.connects, took.unknown).toFixed(2) : "not measured",
    control.toFixed(2),
  ];
  rows.push(`| ${cells.join(" | ")} |`);
}

writeSection(
  "connects",
  `CPU of the server's process for what one connection sends: CONNECTs for a namespace it is in, or as many bytes of events that nobody
handles, in turns (${rounds} rounds, after a few to warm up). The control compares the unknown events with themselves.

| sent in | CONNECTs, ms | unknown events, ms | ratio (2 at most) | control |
| --- | ---: | ---: | ---: | ---: |
${rows.join("\n")}`,
);
console.log(rows.join("\n"));
