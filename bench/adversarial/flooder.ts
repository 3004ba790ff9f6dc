/** One client of each server that floods: run by `flood.ts` as a process of its own, and told by it whom and when. Sends at a steady rate and tells what it heard. */
import { RawClient } from "../../test/fixtures/raw-client.ts";

/** What became of one flood. */
export interface Flood {
  readonly sent: number;
  readonly answered: number;
  /** How often each code was heard, and a value. */
  readonly heard: Record<string, number>;
  /** The rate that was reached, in events a second. */
  readonly rate: number;
}

async function flood(client: RawClient, rate: number, ms: number): Promise<Flood> {
  const heard: Record<string, number> = {};
  let answered = 0;
  client.onReply = ({ args }) => {
    answered++;
    const [reply] = args as [{ error?: { code?: string } } | string];
    const kind = (typeof reply === "object" && reply?.error?.code) || "value";
    heard[kind] = (heard[kind] ?? 0) + 1;
    client.forget();
  };
  const started = performance.now();
  let sent = 0;
  await new Promise<void>((resolve) => {
    const tick = setInterval(() => {
      const elapsed = performance.now() - started;
      const due = Math.min(elapsed, ms) * (rate / 1_000);
      for (; sent < due; sent++) client.frame(`42${sent}["slow",{"ms":${10 + (sent % 21)}}]`);
      if (elapsed < ms) return;
      clearInterval(tick);
      resolve();
    }, 1);
  });
  const sentMs = performance.now() - started;
  await client.until(() => answered >= sent, "every answer", 30_000).catch(() => undefined);
  return { sent, answered, heard, rate: Math.round(sent / (sentMs / 1_000)) };
}

const clients = new Map<string, RawClient>();
process.on("message", ({ url, rate, ms }: { url: string; rate: number; ms: number }) => {
  void (async () => {
    const client = clients.get(url) ?? (await RawClient.connect(url, { deadlineMs: 30_000 }));
    clients.set(url, client);
    process.send?.(await flood(client, rate, ms));
  })();
});
process.on("disconnect", () => process.exit(0));
process.send?.("ready");
