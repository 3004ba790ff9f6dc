import { expect, it, vi } from "vitest";
import { recoverAfterAsking } from "socket-ingress";
import { deferred } from "../fixtures/deferred.js";
import { codeOf, serveIngress } from "../fixtures/ingress.js";
import { RawClient } from "../fixtures/raw-client.js";
import { open } from "../features/realtime/door.js";

// Bounds of what is kept for a client (docs/guide/security.md) that no other test holds.

it("bound: one request id is remembered for a socket, the last that was announced", async () => {
  await using door = await open();
  const ids: unknown[] = [];
  door.ingress.beforeEvent(({ requestId, event }) => void (event === "pay" && ids.push(requestId)));
  door.ingress.subscribe("pay", () => "paid");
  const { socket } = await door.enter({ user: "ada" });
  for (let n = 0; n < 1_000; n++) socket.emit("ingress:request", `r${n}`, "pay");
  await socket.emitWithAck("pay");
  await socket.emitWithAck("pay");
  expect(ids).toEqual(["r999", undefined]);
});

it("bound: one event of a socket is asked about at a time, and the others wait in maxPending", async () => {
  await using app = await serveIngress({ maxPending: 3 });
  const gate = deferred();
  let asked = 0;
  app.ingress.beforeEvent(() => {
    asked++;
    return gate.promise;
  });
  app.ingress.subscribe("x", () => "ran");
  const client = await app.connect();
  const answers: unknown[] = [];
  for (let n = 0; n < 10; n++) void client.emitWithAck("x").then((answer) => answers.push(codeOf(answer)));
  await vi.waitFor(() => expect(answers).toEqual(Array(6).fill("OVERLOADED")));
  expect(asked).toBe(1);
  gate.resolve();
  await vi.waitFor(() => expect(answers.slice(6)).toEqual(Array(4).fill("ran")));
});

it("bound: a thousand refusals wait to be written to a client that does not read, then its transport ends", async () => {
  await using app = await serveIngress();
  await using client = await RawClient.connect(app.url);
  const gone = client.closed;
  // In one turn: none of the answers can have been written meanwhile.
  for (let n = 0; n < 3_000; n++) client.frame(`40/none-${n},`);
  await gone;
  const said = app.log.lines.filter(({ level }) => level === "info").map(({ message }) => message);
  expect(said).toEqual([expect.stringContaining("one refused namespace after the other")]);
});

it("bound: ten thousand pushes are kept for a client that is being asked about, then its connection ends and it is told nothing", async () => {
  const recovery = { connectionStateRecovery: { skipMiddlewares: false }, adapter: recoverAfterAsking() };
  await using app = await serveIngress({}, recovery);
  const [asked, verdict] = [deferred(), deferred<boolean>()];
  const client = await app.connect({ reconnection: false });
  const heard: unknown[] = [];
  client.on("n", (n) => heard.push(n));
  app.io.emit("n", "first");
  await vi.waitFor(() => expect(heard).toEqual(["first"]));
  const gone = new Promise((resolve) => app.serverSide(client).once("disconnect", resolve));
  client.io.engine.close();
  await gone;
  app.ingress.subscribe("connect", () => {
    asked.resolve();
    return verdict.promise;
  });
  const back = new Promise((resolve) => client.once("connect", () => resolve(undefined)));
  client.connect();
  await asked.promise;
  for (let n = 0; n <= 10_001; n++) app.io.emit("n", n);
  const ended = new Promise((resolve) => client.once("disconnect", resolve));
  verdict.resolve(true);
  await back;
  await ended;
  expect(heard).toEqual(["first"]);
});
