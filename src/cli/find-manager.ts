import type { ManagerDescription } from "../manager/description.js";
import type { ManagerHealth } from "../manager/health.js";
import { describeValue, isObject } from "../wire/values.js";

/** What the command line asks of a manager: it may be of another copy of the package, so that its class says nothing. */
export interface DescribedManager {
  boot(): Promise<void>;
  shutdown(options: { graceMs: number }): Promise<unknown>;
  health(): Pick<ManagerHealth, "status">;
  describe(): ManagerDescription;
}

const methods = ["boot", "shutdown", "health", "describe", "registerHandler"];

/** How long a manager that was not exported may take to be put together once its module has been loaded, in milliseconds. */
const PATIENCE_MS = 2_000;

/** A module that does not have what was looked for; the message says what to do. */
export class NotFound extends Error {}

/**
 * Finds the manager of a module: what it exports under `wanted`; else its default export, a manager among its exports, or what a function
 * makes that it exports (`makeManager`, or the only one); else the one that was made while it was loaded.
 *
 * @param made the managers that have been made by now, the newest last
 * @param idle resolves when nothing is left for the process to do
 * @throws NotFound saying what there is instead
 */
export async function findManager(
  module: object,
  wanted: string | undefined,
  made: ReadonlySet<object>,
  idle: Promise<void>,
): Promise<DescribedManager> {
  const exported = exportsOf(module);
  if (wanted !== undefined) {
    if (!exported.has(wanted)) throw new NotFound(`it exports no "${wanted}"; ${listed([...exported.keys()])}`);
    return managerOf(wanted, exported.get(wanted));
  }
  const standard = exported.get("default");
  if (isManager(standard) || typeof standard === "function") return managerOf("default", standard);
  const [first, ...others] = [...exported].filter(([, value]) => isManager(value));
  if (first !== undefined) return managerOf(first[0], first[1], others);
  const makers = [...exported].filter(([, value]) => isMaker(value));
  const maker = makers.length === 1 ? makers[0] : makers.find(([name]) => name === "makeManager");
  if (maker !== undefined) return managerOf(maker[0], maker[1]);
  await putTogether(made, idle);
  const [only, ...more] = [...made].filter(isManager);
  if (only === undefined)
    throw new NotFound(
      `it exports no ServiceManager and no function that makes one, and none was made while it was loaded; ${listed([...exported.keys()])}`,
    );
  if (more.length > 0)
    throw new NotFound(`it made ${more.length + 1} managers and exports none: export the one that is meant`);
  return only;
}

/** What a module exports, by name. What a CommonJS module exports is its default export, seen from here. */
function exportsOf(module: object): Map<string, unknown> {
  const names = new Map(Object.entries(module));
  const standard = names.get("default");
  if (!isObject(standard) || typeof standard === "function" || isManager(standard)) return names;
  names.delete("default");
  return new Map([...Object.entries(standard), ...names]);
}

async function managerOf(
  name: string,
  value: unknown,
  others: readonly (readonly [string, unknown])[] = [],
): Promise<DescribedManager> {
  if (others.length > 0) {
    const names = [name, ...others.map(([other]) => other)].join(", ");
    throw new NotFound(`it exports several managers, ${names}: say which, as in --export ${name}`);
  }
  const isFunction = typeof value === "function";
  const manager: unknown = await (isFunction ? (value as () => unknown)() : value);
  if (!isManager(manager))
    throw new NotFound(
      `its export "${name}" ${isFunction ? "made" : "is"} ${describeValue(manager)}; a ServiceManager was expected${isFunction ? "" : ", or a function that makes one"}`,
    );
  // One that is booting is told of when it is up.
  if (manager.health().status === "starting") await manager.boot();
  return manager;
}

/** A `main()` that nobody awaits may still be at it: what it makes is waited for until it is up, or nothing happens any more. */
async function putTogether(made: ReadonlySet<object>, idle: Promise<void>): Promise<void> {
  const isUp = (): boolean => {
    const managers = [...made].filter(isManager);
    return managers.length > 0 && managers.every((one) => one.health().status === "ok");
  };
  // None of these timers keeps the process from being idle.
  const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms).unref());
  const over = Promise.race([idle, after(PATIENCE_MS)]).then(() => true);
  while (!isUp() && (await Promise.race([over, after(20)])) !== true);
}

function isManager(value: unknown): value is DescribedManager {
  if (!isObject(value)) return false;
  return methods.every((name) => typeof (value as Record<string, unknown>)[name] === "function");
}

/** A function, and no class. */
function isMaker(value: unknown): boolean {
  return typeof value === "function" && !/^class\b/.test(Function.prototype.toString.call(value));
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? "it exports nothing" : `it exports ${names.join(", ")}`;
}
