import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { pino } from "pino";
import { Server } from "socket.io";
import { SocketIngress } from "socket-ingress";

import { leakIn } from "../stage.js";
import { RawClient } from "../../fixtures/raw-client.js";
import { Random } from "./random.js";
import { Findings, type FuzzReport } from "./report.js";
import { subscribeErratic } from "./subscribers.js";

const batchSize = 50;
const clientCount = 4;
const hungMs = 10_000;

/** Frames after which a server may close the connection. */
const vicious: readonly ((random: Random) => string | Buffer)[] = [
  (random) => `4${random.int(10)}${random.text(30)}`,
  (random) => random.text(30),
  (random) => `42${JSON.stringify(random.json()).slice(0, random.int(20))}`,
  (random) => `42/nowhere,${random.int(10)}["x"]`,
  (random) => Buffer.from(random.text(30)),
  (random) => `45${random.int(4)}-[${JSON.stringify(random.text())},{"_placeholder":true,"num":${random.int(4)}}]`,
  () => "41",
  () => "40",
  () => '42["connect"]',
  () => '421["disconnecting","x"]',
  (random) => `43${random.int(100)}[${JSON.stringify(random.json(1))}]`,
];

/** Sends random events and random garbage over live sockets, and looks at what comes back for each. */
export async function fuzzLive(options: { seed: number; runs: number }): Promise<FuzzReport> {
  const { seed, runs } = options;
  const random = new Random(seed);
  using findings = new Findings();
  const http = createServer();
  const io = new Server(http);
  const ingress = new SocketIngress({ logger: pino({ level: "warn" }, { write: () => undefined }) }).attach(io);
  const names = subscribeErratic(ingress, random);
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;

  let left = runs;
  const attack = async (): Promise<void> => {
    let client = await RawClient.connect(url, { deadlineMs: hungMs });
    while (left > 0) {
      const size = Math.min(batchSize, left);
      left -= size;
      const asked: number[] = [];
      let mayClose = false;
      for (let n = 0; n < size; n++) {
        if (random.chance(0.002)) {
          mayClose = true;
          client.frame(random.pick(vicious)(random));
          findings.count("garbage");
          continue;
        }
        const args: unknown[] = [random.chance(0.02) ? random.int(100) - 50 : random.name(names)];
        if (parserOnly.has(args[0] as string)) args[0] = "error";
        while (random.chance(0.6)) args.push(random.json());
        if (random.chance(0.1)) {
          client.emit(args);
          findings.count("unasked");
          continue;
        }
        const id = client.freshId();
        asked.push(id);
        if (random.chance(0.05)) {
          const head = JSON.stringify([...args, { _placeholder: true, num: 0 }]);
          client.binary(`1-${id}${head}`, Buffer.from(random.text()));
        } else client.send(id, args);
      }
      const answers = (): number => asked.filter((id) => client.repliesTo(id).length > 0).length;
      // What was sent around a frame that ends the session need not be answered, so that it is not waited for as long.
      const deadlineMs = mayClose ? 300 : hungMs;
      await client
        .until(() => client.isClosed || answers() === asked.length, "a batch", deadlineMs)
        .catch(() => undefined);
      for (const id of asked) {
        const replies = client.repliesTo(id);
        if (replies.length > 1) findings.add("answered more than once", `event ${id}, ${replies.length} times`);
        if (replies.length > 0) findings.reply(replies[0]!.args[0], `event ${id}`);
        else if (!mayClose)
          findings.add(client.isClosed ? "an honest connection was closed" : "not answered", `event ${id}`);
        else findings.count("closed");
      }
      const leak = leakIn(client.frames);
      if (leak !== undefined) findings.add("a leak", leak);
      // A connection that may be half closed or in the middle of a binary packet is of no more use.
      if (mayClose || client.isClosed || client.replies.length > 2_000) {
        await client[Symbol.asyncDispose]();
        client = await RawClient.connect(url, { deadlineMs: hungMs });
      }
    }
    await client[Symbol.asyncDispose]();
  };
  await Promise.all(Array.from({ length: clientCount }, attack));

  await ingress.detach();
  await io.close();
  return findings.report(seed, runs);
}

/** Names that the parser answers by closing the connection. */
const parserOnly = new Set([
  "connect",
  "connect_error",
  "disconnect",
  "disconnecting",
  "newListener",
  "removeListener",
]);
