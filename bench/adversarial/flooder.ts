/** One client that floods: run by `flood.ts` as a process of its own. Sends at a steady rate and tells what it heard. */
import { RawClient } from "../../test/fixtures/raw-client.ts";

const [url, rate, seconds] = [process.argv[2]!, Number(process.argv[3]), Number(process.argv[4])];
const client = await RawClient.connect(url, { deadlineMs: 30_000 });
const heard: Record<string, number> = {};
let answered = 0;
client.onReply = ({ args }) => {
  answered++;
  const [reply] = args as [{ error?: { code?: string } } | string];
  const kind = (typeof reply === "object" && reply?.error?.code) || "value";
  heard[kind] = (heard[kind] ?? 0) + 1;
  // Twenty thousand a second are not kept.
  client.replies.length = 0;
  client.frames.length = 0;
};

const started = performance.now();
let sent = 0;
await new Promise<void>((resolve) => {
  const tick = setInterval(() => {
    const elapsed = performance.now() - started;
    const due = Math.min(elapsed, seconds * 1_000) * (rate / 1_000);
    for (; sent < due; sent++) client.frame(`42${sent}["slow",{"ms":20}]`);
    if (elapsed < seconds * 1_000) return;
    clearInterval(tick);
    resolve();
  }, 2);
});
const sentMs = performance.now() - started;
await client.until(() => answered >= sent, "every answer", 30_000).catch(() => undefined);
process.send?.({ sent, answered, heard, rate: Math.round(sent / (sentMs / 1_000)) });
await client[Symbol.asyncDispose]();
process.disconnect?.();
