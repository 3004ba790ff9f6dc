import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { EventError, SocketIngress } from "socket-ingress";
import { needs, program } from "../fixtures/needs.js";
import { recordingLog } from "../fixtures/recording-log.js";
import { serve } from "../fixtures/serve.js";

const script = fileURLToPath(new URL("client.py", import.meta.url));
const run = promisify(execFile);

const positive = {
  "~standard": {
    version: 1 as const,
    vendor: "test",
    validate: (value: unknown) =>
      (value as { n: number }).n > 0 ? { value } : { issues: [{ message: "must be positive", path: ["n"] }] },
  },
};

function handlers(told: string[]): SocketIngress {
  const ingress = new SocketIngress({ logger: recordingLog() });
  ingress
    .on("connect", ({ socket }) => {
      socket.data.user = socket.handshake.auth["user"];
      if (socket.data.user === "banned") throw new EventError("FORBIDDEN", "not you", { details: { until: 5 } });
    })
    .on("disconnect", ({ socket }, reason) => void told.push(`${socket.data.user} ${reason}`))
    .on("who", ({ socket }) => socket.data.user)
    .on("echo", (_context, value: unknown) => value)
    .on("arguments", (_context, ...args: unknown[]) => args)
    .on("silent", () => {})
    .on("refuse", () => {
      throw new EventError("ROOM_FULL", "no seat left", { retryAfterMs: 250 });
    })
    .on("crash", () => {
      throw new Error("secret");
    })
    .on("checked", () => "valid", { input: positive })
    .on("stuck", () => new Promise(() => {}), { timeoutMs: 20 })
    .on("bytes", (_context, { data }: { data: Buffer }) => ({ back: Buffer.from(data).reverse() }))
    .on("large", (_context, text: string) => text)
    .on("push", ({ socket }) => {
      socket.emit("news", "text", { n: 1 });
      socket.emit("news", Buffer.from([1, 2, 3]));
      socket.emit("news");
    })
    .on("ask", ({ socket }) => socket.timeout(20_000).emitWithAck("sure?", { n: 1 }))
    .on("who", ({ namespace }) => namespace, { namespace: "/admin" })
    .on("who", ({ namespace }) => namespace, { namespace: /^\/t-\d+$/ });
  return ingress;
}

needs("python")("python-socketio", () => {
  it.each(["polling", "websocket"])(
    "calls handlers over %s and gets values, failures, binary data and pushes",
    { timeout: 60_000 },
    async (transport) => {
      const told: string[] = [];
      await using app = await serve((io) => void handlers(told).attach(io));
      const { stdout } = await run(program("python"), [script, app.url, transport], { timeout: 50_000 });
      expect(JSON.parse(stdout)).toEqual({
        transport,
        who: "py",
        echo: { text: "grüße", n: 1.5, none: null, list: [true] },
        arguments: ["one", 2, [3]],
        silent: null,
        refused: { error: { code: "ROOM_FULL", message: "no seat left", details: { retryAfterMs: 250 } } },
        crashed: { error: { code: "INTERNAL", message: "internal error" } },
        invalid: {
          error: {
            code: "INVALID_INPUT",
            message: expect.any(String),
            details: { issues: [{ path: ["n"], message: "must be positive" }] },
          },
        },
        valid: "valid",
        unknown: { error: { code: "UNKNOWN_EVENT", message: expect.any(String) } },
        timeout: { error: { code: "TIMEOUT", message: expect.any(String) } },
        binary: { back: { hex: "ff0100" } },
        large: 200_000,
        admin: "/admin",
        tenant: "/t-7",
        pushes: [["text", { n: 1 }], [{ hex: "010203" }], []],
        answered: { sure: { n: 1 } },
        many: Array.from({ length: 50 }, (_, n) => n),
        banned: { message: "not you", data: { code: "FORBIDDEN", message: "not you", details: { until: 5 } } },
        banned_raised: true,
      });
      // It leaves the namespaces and closes the transport in one go; Socket.IO serves whichever it reads first.
      expect(told).toHaveLength(1);
      expect(told[0]).toMatch(/^py (client namespace disconnect|transport close)$/);
    },
  );
});
