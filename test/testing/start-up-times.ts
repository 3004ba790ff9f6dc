// Prints what a fresh server and client cost, in milliseconds: npx tsx test/testing/start-up-times.ts
import { Server } from "socket.io";
import { fakeServer, inMemory } from "socket-ingress/testing";
const median = (a: number[]) => a.sort((x, y) => x - y)[a.length >> 1];
for (const [name, options] of [["websocket", {}], ["polling", { transports: ["polling"] }]] as const) {
  const times: number[] = [];
  for (let i = 0; i < 300; i++) {
    const t = performance.now();
    const app = await inMemory(new Server());
    await app.connect(options as {});
    times.push(performance.now() - t);
    await app.close();
  }
  console.log("inMemory", name, "median ms", median(times));
}
const times: number[] = [];
for (let i = 0; i < 2000; i++) {
  const t = performance.now();
  const io = fakeServer();
  await io.connect();
  times.push(performance.now() - t);
}
console.log("fake median ms", median(times));
