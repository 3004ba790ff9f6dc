// Uses the packed package as others will: compiled by three versions of TypeScript under both ways to resolve modules,
// and loaded by `import` and by `require`. `node scripts/consumers.mjs package.tgz` runs it alone.
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import { mustRun, root } from "./steps.mjs";

const typescript = { "typescript-5.9": "5.9.3", "typescript-6.0": "6.0.3", "typescript-7.0": "7.0.2" };
const resolutions = {
  nodenext: { module: "nodenext" },
  bundler: { module: "esnext", moduleResolution: "bundler" },
};

/** What a user writes on the server and in the browser; the classes and the client have to fit each other's types. */
const program = `
import { createServer } from "node:http";
import { Server } from "socket.io";
import { io as connect } from "socket.io-client";
import { Controller, EventError, Handler, ServiceManager } from "socket-ingress";
import type { ControllerHandler, EventContext, EventMap } from "socket-ingress";
import { createClient } from "socket-ingress/client";
import * as realtime from "socket-ingress/realtime";
import * as testing from "socket-ingress/testing";

interface ClientToServer {
  heartbeat(beat: { at: number }, reply: (r: { ok: true }) => void): void;
  message(text: string, reply: (r: { id: number }) => void): void;
}
interface ServerToClient { presence(who: string[]): void }
type App = Server<ClientToServer, ServerToClient, Record<string, never>, { user: string }>;

export class PresenceHandler extends Handler<App> {
  readonly name = "presence";
  readonly events = { heartbeat: "handleHeartbeat" } satisfies EventMap<PresenceHandler, App>;
  handleHeartbeat({ socket }: EventContext<App>, beat: { at: number }) {
    this.seen.set(socket.data.user, beat.at);
    return { ok: true as const };
  }
  private readonly seen = new Map<string, number>();
}

export class MissingMethod extends Handler<App> {
  readonly name = "missing";
  // @ts-expect-error no such method
  readonly events = { heartbeat: "noSuchMethod" } satisfies EventMap<MissingMethod, App>;
}

export class ChatController extends Controller<App> {
  readonly name = "chat";
  override buildEvents(handler: ControllerHandler<App>) {
    handler.on("message", this.onMessage, { priority: 50 });
  }
  private onMessage({ socket }: EventContext<App>, text: string) {
    if (text === "") throw new EventError("INVALID_INPUT", "say something");
    socket.broadcast.emit("presence", [socket.data.user]);
    return { id: text.length };
  }
}

export function main(): ServiceManager<App> {
  const io: App = new Server(createServer());
  return new ServiceManager<App>(io).registerHandler(new PresenceHandler()).registerController(new ChatController());
}

export async function page(): Promise<number> {
  const client = createClient<App>(connect());
  const { id } = await client.call("message", "hi");
  // @ts-expect-error the reply has no such member
  void (await client.call("message", "hi")).nothing;
  return id;
}

export const doors: object[] = [realtime, testing];
`;

/** Fails unless every door loads, through `require` too, and gives the same values both ways. */
const loads = `
const assert = require("node:assert/strict");
const doors = require("socket-ingress/package.json").exports;
(async () => {
  for (const door of Object.keys(doors).filter((key) => !key.endsWith(".json"))) {
    const name = "socket-ingress" + door.slice(1);
    const required = require(name);
    const imported = await import(name);
    assert.ok(Object.keys(imported).length > 0, name + " exports nothing");
    for (const key of Object.keys(imported)) assert.equal(required[key], imported[key], name + ": " + key);
  }
  const { Handler, Controller, ServiceManager, SocketIngress } = require("socket-ingress");
  for (const noun of [Handler, Controller, ServiceManager, SocketIngress]) assert.equal(typeof noun, "function");
})();
`;

/** @param {string} tarball the packed package */
export async function consume(tarball) {
  const folder = await mkdtemp(join(tmpdir(), "socket-ingress-consumer-"));
  try {
    const { devDependencies } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
    await writeFile(
      join(folder, "package.json"),
      JSON.stringify({
        private: true,
        type: "module",
        dependencies: {
          "socket-ingress": `file:${resolve(tarball)}`,
          "socket.io": devDependencies["socket.io"],
          "socket.io-client": devDependencies["socket.io-client"],
          "@types/node": devDependencies["@types/node"],
          ...Object.fromEntries(
            Object.entries(typescript).map(([alias, version]) => [alias, `npm:typescript@${version}`]),
          ),
        },
      }),
    );
    await mustRun("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", "--no-package-lock"], {
      cwd: folder,
    });
    await writeFile(join(folder, "loads.cjs"), loads);
    await mustRun(process.execPath, ["loads.cjs"], { cwd: folder });
    const compile = async (name, options) => {
      const project = join(folder, name);
      await mkdir(project);
      await writeFile(join(project, "consumer.ts"), program);
      await writeFile(
        join(project, "tsconfig.json"),
        JSON.stringify({
          compilerOptions: {
            target: "es2022",
            lib: ["es2022", "dom", "esnext.disposable"],
            types: ["node"],
            strict: true,
            exactOptionalPropertyTypes: true,
            noEmit: true,
            // The package's own declarations are part of what is tried.
            skipLibCheck: false,
            ...options,
          },
          files: ["consumer.ts"],
        }),
      );
      for (const alias of Object.keys(typescript)) {
        const compiler = join(folder, "node_modules", alias, "bin", "tsc");
        await mustRun(process.execPath, [compiler, "-p", project], { cwd: folder });
      }
    };
    await Promise.all(Object.entries(resolutions).map(([name, options]) => compile(name, options)));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  if (argv[2] === undefined) throw new Error("usage: node scripts/consumers.mjs package.tgz");
  await consume(argv[2]);
}
