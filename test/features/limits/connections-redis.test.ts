import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { io as openClient, type Socket } from "socket.io-client";
import { expect, it, vi } from "vitest";
import { needs } from "../../fixtures/needs.js";
import { ownRedis } from "../../fixtures/redis.js";

const program = fileURLToPath(new URL("connections-process.ts", import.meta.url));

interface Node {
  readonly child: ChildProcess;
  readonly port: number;
}

async function start(path: string): Promise<Node> {
  const child = fork(program, [path], { execArgv: ["--import", "tsx"], stdio: ["ignore", "ignore", "inherit", "ipc"] });
  const port = await new Promise<number>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`a node ended with ${code}`)));
    child.on("message", (told: { port: number }) => resolve(told.port));
  });
  return { child, port };
}

needs("redis")("connections of nodes that are processes, joined by Redis", () => {
  it(
    "are as many as there are seats, and those of a node that was killed are free after its heartbeat",
    {
      timeout: 60_000,
    },
    async () => {
      await using redis = await ownRedis();
      const [one, two] = await Promise.all([start(redis.path), start(redis.path)]);
      const sockets: Socket[] = [];
      /** A connection, or the scope of what is full. */
      const come = ({ port }: Node, user?: string): Promise<Socket | string> =>
        new Promise((resolve) => {
          const socket = openClient(`http://127.0.0.1:${port}`, {
            transports: ["websocket"],
            forceNew: true,
            reconnection: false,
            auth: { user },
          });
          sockets.push(socket);
          socket.once("connect", () => resolve(socket));
          socket.once("connect_error", ({ data }: Error & { data?: { details: { scope: string } } }) =>
            resolve(data?.details.scope ?? "lost"),
          );
        });
      try {
        // The adapter hears nothing until it has read its first entry: until both nodes know each other's connections.
        // Each time for a while only: what was not heard does not come later.
        const known = async (from: Node, to: Node): Promise<void> => {
          const old = await come(from, "probe");
          await come(to, "probe");
          await vi.waitFor(() => expect((old as Socket).connected).toBe(false), 2_000);
        };
        await vi.waitFor(() => known(one, two), { interval: 100 });
        await vi.waitFor(() => known(two, one), { interval: 100 });
        for (const socket of sockets.splice(0)) socket.disconnect();
        await vi.waitFor(async () => {
          const more = await come(two);
          expect(typeof more).toBe("object");
          (more as Socket).disconnect();
        });

        for (let i = 0; i < 5; i++) expect(typeof (await come(one))).toBe("object");
        const crowd = await Promise.all(Array.from({ length: 50 }, (_, i) => come(i % 2 === 0 ? one : two)));
        expect(crowd.filter((each) => typeof each === "object")).toHaveLength(15);
        expect(crowd.filter((each) => each === "server")).toHaveLength(35);
        expect(await come(two)).toBe("server");

        const gone = once(one.child, "exit");
        one.child.kill("SIGKILL");
        await gone;
        expect(await come(two)).toBe("server");
        await vi.waitFor(async () => expect(typeof (await come(two))).toBe("object"), { interval: 100 });
      } finally {
        for (const socket of sockets) socket.disconnect();
        for (const { child } of [one, two]) child.kill("SIGKILL");
      }
    },
  );
});
