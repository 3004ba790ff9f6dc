// Runs in a process of its own, which `describe-module.ts` starts and ends.

import { dirname, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { observe } from "../lifecycle/observer.js";
import type { ManagerDescription } from "../manager/description.js";
import { reasonOf } from "../wire/values.js";
import { type DescribedManager, findManager, NotFound } from "./find-manager.js";
import { stopListening } from "./no-listening.js";
import { placesBy } from "./place-of.js";

/** What the process says, once. */
export type Loaded =
  | { readonly kind: "described"; readonly description: ManagerDescription }
  | { readonly kind: "not found"; readonly reason: string }
  | { readonly kind: "failed"; readonly reason: string; readonly code: unknown; readonly stack: string | undefined }
  | { readonly kind: "stuck" };

/** What is to be loaded. */
export interface Wanted {
  /** The path of the module. */
  readonly path: string;
  /** Its export that is meant. */
  readonly name?: string | undefined;
  /** Whether the manager is to be booted if it has not been. */
  readonly start: boolean;
  /** The folder of this package's own code, which is nobody's handler. */
  readonly own: string;
}

/**
 * Loads a module, finds its manager, and says what that has. Nothing listens meanwhile.
 *
 * @param importModule `import`, from a module that is one: the package itself is CommonJS
 */
export async function load(wanted: Wanted, importModule: (url: string) => Promise<object>): Promise<void> {
  const made = new Set<object>();
  process.setSourceMapsEnabled(true);
  stopListening();
  observe({ made: (manager) => made.add(manager), placeOf: () => undefined });
  // Whoever asked has gone. It is no reason to stay.
  process.once("disconnect", () => process.exit());
  process.channel?.unref();
  process.on("uncaughtException", (error) => say({ kind: "failed", ...reportOf(error) }));
  let isIdle = false;
  const idle = new Promise<void>((resolve) => {
    process.on("beforeExit", () => {
      // Once more, for whoever has waited for this; then nothing will ever settle what is awaited.
      if (isIdle || module === undefined) say({ kind: "stuck" });
      isIdle = true;
      resolve();
      setImmediate(() => undefined);
    });
  });
  let module: object | undefined;
  try {
    module = await importModule(pathToFileURL(wanted.path).href);
    const manager = await findManager(module, wanted.name, made, idle);
    if (wanted.start) await manager.boot();
    const isOwn = (file: string): boolean =>
      file.startsWith(dirname(wanted.own) + sep) || file.includes(`${sep}node_modules${sep}socket-ingress${sep}`);
    observe({ made: () => undefined, placeOf: placesBy(isOwn) });
    const description = manager.describe();
    observe(undefined);
    say({ kind: "described", description }, () => end(manager));
  } catch (error) {
    say(
      error instanceof NotFound ? { kind: "not found", reason: error.message } : { kind: "failed", ...reportOf(error) },
    );
  }
}

let said = false;

/** The first word counts; then the process ends. */
function say(loaded: Loaded, after: () => Promise<void> = async () => undefined): void {
  if (said) return;
  said = true;
  process.send?.(loaded, () => void after().finally(() => process.exit()));
}

/** What has been started may put itself away. */
async function end(manager: DescribedManager): Promise<void> {
  if (manager.health().status !== "idle") await manager.shutdown({ graceMs: 0 });
}

function reportOf(error: unknown): { reason: string; code: unknown; stack: string | undefined } {
  const { code, stack } = (error ?? {}) as { code?: unknown; stack?: unknown };
  return {
    reason: reasonOf(error),
    code: typeof code === "string" ? code : undefined,
    stack: typeof stack === "string" ? stack : undefined,
  };
}
