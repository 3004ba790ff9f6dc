import { spawn } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, extname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { ManagerDescription } from "../manager/description.js";
import type { Loaded, Wanted } from "./load.js";

/** Something that whoever typed the command can mend; the message is a sentence for them. */
export class Unusable extends Error {}

/** What is to be described, and how. */
export interface ModuleRequest {
  /** As it was typed. */
  readonly module: string;
  /** Which of its exports is meant. */
  readonly name: string | undefined;
  /** Whether its manager is to be booted. */
  readonly start: boolean;
  readonly timeoutMs: number;
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** The flags that Node was started with, which hold for the module, too. */
  readonly execArgv: readonly string[];
  /** Aborts when whoever asked has gone. */
  readonly signal?: AbortSignal | undefined;
}

/** What ships is CommonJS and knows where it is; the sources run in our own tests, which are started where `src` is. */
export const self: string =
  typeof __filename === "string" ? __filename : join(process.cwd(), "src", "cli", "describe-module.ts");

/** CommonJS has no `import` that loads every module, so that the first line of the process is an ES module. */
const PROGRAM = `
const wanted = JSON.parse(process.argv[1]);
const loader = await import(wanted.loader);
await (loader.load ?? loader.default.load)(wanted, (url) => import(url));
`;

/** How long the process may take to put itself away when it has said what it has to say. */
const FAREWELL_MS = 3_000;

/**
 * Loads a module in a process of its own (decision 0084), and says what its manager has. Whatever the module opens goes with that process; one that hangs is
 * ended.
 *
 * @throws Unusable with a sentence that says what to do
 */
export async function describeModule(request: ModuleRequest): Promise<ManagerDescription> {
  const { module, cwd, env, timeoutMs } = request;
  const path = resolve(cwd, module);
  if (!existsSync(path) || statSync(path).isDirectory())
    throw new Unusable(`there is no file ${module} in ${cwd}; a module that exports a ServiceManager is expected`);
  const loader = pathToFileURL(join(dirname(self), `load${extname(self)}`)).href;
  const wanted: Wanted & { loader: string } = {
    path,
    name: request.name,
    start: request.start,
    own: dirname(self),
    loader,
  };
  const flags = [...request.execArgv, ...flagsFor(path, request), "--input-type=module", "--eval", PROGRAM];
  const child = spawn(process.execPath, [...flags, JSON.stringify(wanted)], {
    cwd,
    env,
    // What a program says while it starts is not what was asked for.
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    serialization: "advanced",
  });
  let answer: Loaded | undefined;
  const answered = new Promise<void>((over) =>
    child.once("message", (message) => {
      answer = message as Loaded; // by our own program
      over();
    }),
  );
  // Its last word may be read after its end has been told, but before it is known to be gone.
  const ended = new Promise<string>((over) => {
    child.once("error", (error) => over(`could not be started: ${error.message}`));
    child.once("exit", (code, signal) => {
      const how = signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
      if (child.connected) child.once("disconnect", () => over(how));
      else over(how);
    });
  });
  let timer: NodeJS.Timeout | undefined;
  const hangs = new Promise<undefined>((over) => {
    timer = setTimeout(() => over(undefined), timeoutMs);
    request.signal?.addEventListener("abort", () => over(undefined), { once: true });
  });
  const how = await Promise.race([answered.then(() => "answered"), ended, hangs]);
  clearTimeout(timer);
  const late = setTimeout(() => child.kill("SIGKILL"), answer === undefined ? 0 : FAREWELL_MS);
  await ended;
  clearTimeout(late);
  if (answer !== undefined) return descriptionOf(answer, path, request);
  if (request.signal?.aborted === true) throw new Unusable(`interrupted, and so is ${module}`);
  if (how !== undefined)
    throw new Unusable(
      `the process of ${module} ${how} before its manager could be looked at; a module must not end its process while it is loaded`,
    );
  throw new Unusable(
    `${module} was not loaded within ${timeoutMs / 1_000} s, and was ended. What it waits for, such as a database, belongs into a service's ` +
      `onStart, or into a function that makes the manager and is exported; or give it longer: --timeout 60`,
  );
}

function descriptionOf(loaded: Loaded, path: string, { module }: ModuleRequest): ManagerDescription {
  switch (loaded.kind) {
    case "described":
      return loaded.description;
    case "not found":
      throw new Unusable(`${module}: ${loaded.reason}`);
    case "stuck":
      throw new Unusable(
        `${module} waits for something that never comes, at its top level or in the function that makes its manager`,
      );
    case "failed": {
      const { reason, code, stack = "" } = loaded;
      const frames = stack.split("\n").filter((line) => /^\s+at /.test(line) && !line.includes("node:internal"));
      const advice = isTypeScript(path) ? adviceFor(code, reason) : "";
      throw new Unusable([`${module} could not be loaded: ${reason}${advice}`, ...frames.slice(0, 3)].join("\n"));
    }
  }
}

// --- TypeScript --------------------------------------------------------------------------------------------------------------

const TSX = "install tsx beside it (npm install --save-dev tsx)";

function isTypeScript(path: string): boolean {
  return /\.[cm]?tsx?$/.test(path);
}

/** What Node needs to load a module: tsx where it is installed, since a program that has it may need it; else its own type stripping. */
function flagsFor(path: string, { module, cwd, execArgv }: ModuleRequest): readonly string[] {
  if (!isTypeScript(path) || execArgv.some((flag) => /\btsx\b/.test(flag))) return [];
  for (const from of [path, join(cwd, "package.json")]) {
    try {
      return ["--import", pathToFileURL(createRequire(from).resolve("tsx")).href];
    } catch {
      // Not there.
    }
  }
  // False without the flag, and not known to Node 20.
  const { typescript } = process.features as { readonly typescript?: string | false };
  const flag = "--experimental-strip-types";
  if (typescript !== undefined && typescript !== false) return [];
  if (process.allowedNodeEnvironmentFlags.has(flag)) return [flag, "--disable-warning=ExperimentalWarning"];
  throw new Unusable(
    `${module} is TypeScript, which Node ${process.versions.node} does not read by itself: ${TSX}, or use Node 22.18 or later`,
  );
}

/** What Node's own type stripping does not do. */
function adviceFor(code: unknown, reason: string): string {
  // Older ones have another code.
  if (code === "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX" || reason.includes("strip-only mode"))
    return `; Node strips types and no more: ${TSX}`;
  if (code === "ERR_UNKNOWN_FILE_EXTENSION") return `; Node does not read it by itself: ${TSX}`;
  if (code === "ERR_MODULE_NOT_FOUND" && /\.js'/.test(reason))
    return `; Node does not look for a .ts file where .js is imported: ${TSX}, or import it by its own name`;
  return "";
}
