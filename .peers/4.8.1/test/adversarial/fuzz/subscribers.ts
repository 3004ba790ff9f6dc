import { EventError, type EventContext, type SocketIngress } from "socket-ingress";

import { schemaFaults } from "../faults.js";
import { ownCode } from "./report.js";
import type { Random } from "./random.js";

/** The time limit of fuzzed events: short, since some never settle. */
export const fuzzTimeoutMs = 20;

type Subscribe = Pick<SocketIngress, "subscribe" | "subscribeErrorDefault">;

/** A subscriber that does something else each time it is called. */
function erratic(random: Random): (context: EventContext, ...args: unknown[]) => never {
  return ((context: EventContext, ...args: unknown[]): unknown => {
    if (random.chance(0.02)) context.stop();
    if (random.chance(0.05)) void context.signal;
    if (random.chance(0.02)) context.log.debug({ args: args.length }, "fuzz");
    if (random.chance(0.1)) context.reply(random.anything());
    // One in two thousand never ends and has to be cut.
    if (random.chance(0.0005)) return new Promise(() => undefined);
    switch (random.int(10)) {
      case 0:
        throw random.thrown();
      case 1: {
        const reason = random.thrown();
        return new Promise((_resolve, reject) => reject(reason));
      }
      case 2: {
        const reason = random.thrown();
        return new Promise((_resolve, reject) => setImmediate(() => reject(reason)));
      }
      case 3:
        throw new EventError(ownCode, "come back tomorrow", { details: random.anything() });
      case 4:
        return new Promise((resolve) => setImmediate(() => resolve(random.anything())));
      case 5: {
        const [value, twice, throwing] = [random.anything(), random.anything(), random.chance(0.3)];
        return {
          then(resolve: (value: unknown) => void, reject: (reason: unknown) => void) {
            if (random.chance(0.5)) resolve(value);
            else reject(random.thrown());
            if (throwing) throw random.thrown();
            resolve(twice);
          },
        };
      }
      case 6:
        return undefined;
      default:
        return random.anything();
    }
  }) as never;
}

/** Subscribes a few dozen erratic subscribers under all sorts of options, and tells the names of their events. */
export function subscribeErratic(ingress: Subscribe, random: Random): readonly string[] {
  const names: string[] = [];
  const add = (options: object = {}): void => {
    const name = random.chance(0.2) && names.length > 0 ? random.pick(names) : `event ${names.length}`;
    if (!names.includes(name)) names.push(name);
    ingress.subscribe(name, erratic(random), { timeoutMs: fuzzTimeoutMs, priority: random.int(200) - 50, ...options });
  };
  for (let n = 0; n < 12; n++) add();
  for (const { validate } of schemaFaults.filter(({ id }) => id !== "never" && id !== "many-issues")) {
    const later = (run: () => void): void => void setImmediate(run);
    add({
      input: {
        "~standard": {
          version: 1,
          vendor: "hostile",
          validate: (value: unknown) =>
            random.chance(0.5) ? { value } : validate(value, { later, tooLate: later, slowly: async () => undefined }),
        },
      },
    });
  }
  for (let n = 0; n < 6; n++) {
    add({
      use: [
        async (_context: EventContext, next: () => Promise<unknown>) => {
          if (random.chance(0.1)) throw random.thrown();
          if (random.chance(0.1)) return random.anything();
          const result = await next();
          if (random.chance(0.05)) await next();
          if (random.chance(0.1)) throw random.thrown();
          return result;
        },
        (_context: EventContext, next: () => Promise<unknown>) => {
          if (random.chance(0.1)) throw random.thrown();
          return next();
        },
      ],
    });
  }
  for (let n = 0; n < 4; n++) {
    add({
      concurrency: 1 + random.int(3),
      queueMax: random.int(5),
      overflow: random.pick(["reject", "dropOldest"]),
      ...(random.chance(0.5) && {
        key: () => {
          if (random.chance(0.1)) throw random.thrown();
          return random.pick(["a", "b", "__proto__", ""]);
        },
      }),
    });
  }
  ingress.subscribeErrorDefault(() => {
    if (random.chance(0.05)) throw random.thrown();
    if (random.chance(0.05)) {
      const reason = random.thrown();
      return new Promise((_resolve, reject) => reject(reason));
    }
    return undefined;
  });
  return names;
}
