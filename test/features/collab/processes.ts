import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { io as openClient, type Socket } from "socket.io-client";
import { createClient } from "socket-ingress/client";
import type { KyselyDocumentStore } from "socket-ingress/collab";
import { openDocument, type OpenDocument } from "socket-ingress/collab/client";
import { storeIn } from "./store-file.js";
import { quiet } from "./stage.js";

/** A node in a process of its own. */
export interface NodeProcess {
  readonly child: ChildProcess;
  /** A client with the document open, live. */
  open(user: string): Promise<{ socket: Socket; note: OpenDocument }>;
  /** Ends it by a signal; resolves when it has ended. */
  end(signal: NodeJS.Signals): Promise<void>;
}

/** Nodes that share a store, which this process reads as well. */
export interface Processes extends AsyncDisposable {
  start(options: { redis?: string; autosaveMs: number; maxUnsavedMs: number; graceMs?: number }): Promise<NodeProcess>;
  readonly store: KyselyDocumentStore;
}

const program = fileURLToPath(new URL("node-process.ts", import.meta.url));

/** Makes a folder for their store. */
export async function processes(): Promise<Processes> {
  const folder = await mkdtemp(join(tmpdir(), "socket-ingress-collab-"));
  const file = join(folder, "documents.sqlite");
  const store = storeIn(file);
  await store.migrate();
  const children: ChildProcess[] = [];
  const sockets: Socket[] = [];
  return {
    store,
    async start({ redis = "", autosaveMs, maxUnsavedMs, graceMs = 5_000 }) {
      const args = [redis, file, `${autosaveMs}`, `${maxUnsavedMs}`, `${graceMs}`];
      const child = fork(program, args, {
        execArgv: ["--import", "tsx"],
        stdio: ["ignore", "ignore", "inherit", "ipc"],
      });
      children.push(child);
      const port = await new Promise<number>((resolve, reject) => {
        child.once("exit", (code) => reject(new Error(`a node ended with ${code}`)));
        child.once("message", (said: { port: number }) => resolve(said.port));
      });
      return {
        child,
        async open(user) {
          const socket = openClient(`http://127.0.0.1:${port}`, {
            transports: ["websocket"],
            forceNew: true,
            auth: { user },
          });
          sockets.push(socket);
          const note = openDocument(createClient(socket, { logger: quiet }), "doc:42");
          await note.ready;
          return { socket, note };
        },
        async end(signal) {
          const gone = once(child, "exit");
          child.kill(signal);
          await gone;
        },
      };
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.disconnect();
      for (const child of children) if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
      await rm(folder, { recursive: true, force: true });
    },
  };
}
