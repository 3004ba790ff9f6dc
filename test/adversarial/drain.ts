import { loopTime } from "../fixtures/loop-time.js";
import { RawClient } from "../fixtures/raw-client.js";
import { Contestant } from "./contestant.js";

/** What became of the calls that ran when a server was shut down. */
export interface DrainReport {
  /** How many calls were answered with their value. */
  readonly delivered: number;
  readonly code: number | null | undefined;
  /** How long after the order to shut down the process was gone, in milliseconds in which this one ran. */
  readonly endedAfterMs: number;
}

export interface DrainOptions {
  readonly clients: number;
  readonly calls: number;
  readonly callMs: number;
  readonly graceMs: number;
}

/**
 * Shuts a server process down while every client has its calls running, with one deaf peer beside them. The calls are held until
 * the order to shut down is given: how long the last takes to arrive is a matter of the machine.
 */
export async function runDrain({ clients: size, calls, callMs, graceMs }: DrainOptions): Promise<DrainReport> {
  await using server = await Contestant.start(new URL("./server.ts", import.meta.url), { TIME_LIMIT_MS: "30000" });
  await server.command("slow/hold");
  const clients = await Promise.all(Array.from({ length: size }, () => RawClient.connect(server.url)));
  await using deaf = await RawClient.connect(server.url);
  deaf.send(0, ["slow", { ms: callMs }]).goDeaf();
  for (const client of clients) for (let n = 0; n < calls; n++) client.send(client.freshId(), ["slow", { ms: callMs }]);
  await server.command("slow/running", size * calls + 1);

  using time = loopTime();
  void server.command("shutdown", { graceMs }).catch(() => undefined);
  await server.command("slow/release");
  const { code } = await server.ended;
  const endedAfterMs = time.ms;
  await Promise.all(clients.map(({ closed }) => closed));
  const delivered = clients.reduce(
    (sum, { replies }) => sum + replies.filter(({ args }) => args[0] === "slow").length,
    0,
  );
  return { delivered, code, endedAfterMs };
}
