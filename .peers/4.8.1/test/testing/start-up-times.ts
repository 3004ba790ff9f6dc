// Prints what a fresh server with one client costs: npx tsx test/testing/start-up-times.ts
import { Server } from "socket.io";
import { fakeServer, inMemory } from "socket-ingress/testing";

async function median(runs: number, start: () => Promise<() => Promise<void>>): Promise<string> {
  const times: number[] = [];
  for (let i = 0; i < runs; i++) {
    const begun = performance.now();
    const close = await start();
    times.push(performance.now() - begun);
    await close();
  }
  times.sort((a, b) => a - b);
  return `${(times[times.length >> 1] ?? Number.NaN).toFixed(3)} ms (median of ${runs})`;
}

async function startInMemory(transport: "websocket" | "polling"): Promise<() => Promise<void>> {
  const app = await inMemory(new Server());
  await app.connect({ transports: [transport] });
  return () => app.close();
}

console.log(
  "fake               ",
  await median(2_000, async () => {
    const io = fakeServer();
    await io.connect();
    return () => io.close();
  }),
);
console.log("in memory, WebSocket", await median(300, () => startInMemory("websocket")));
console.log("in memory, polling  ", await median(300, () => startInMemory("polling")));
