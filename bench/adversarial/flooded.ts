/** Three servers in one process, which `flood.ts` floods in turns: Socket.IO alone, the same once more, and `socket-ingress`. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { Server } from "socket.io";
import { SocketIngress } from "socket-ingress";

import { report, slowly } from "../../test/adversarial/host.ts";

type Callback = (value: unknown) => void;

const answer = (n: number): unknown => ({ ok: n + 1 });

async function wait({ ms }: { ms: number }): Promise<string> {
  await slowly(ms);
  return "slow";
}

async function listen(serve: (io: Server) => void): Promise<number> {
  const http = createServer();
  serve(new Server(http));
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  return (http.address() as AddressInfo).port;
}

const raw = (io: Server): void => {
  io.on("connection", (socket) => {
    socket.on("honest", (n: number, callback: Callback) => callback(answer(n)));
    socket.on("slow", async (payload: { ms: number }, callback: Callback) => callback(await wait(payload)));
  });
};

const ours = (io: Server): void => {
  const ingress = new SocketIngress().attach(io);
  ingress.subscribe("honest", (_context, n: number) => answer(n));
  ingress.subscribe("slow", (_context, payload: { ms: number }) => wait(payload));
};

const ports = { raw: await listen(raw), same: await listen(raw), ours: await listen(ours) };
report({ port: ports.raw, dialect: "plain", abilities: [] }, { ports: () => ports });
