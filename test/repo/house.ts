/** What a room of `src/` may be: a room of the core, or a door, which is a subpath of the package. */
export interface Room {
  /** The floor it is on. Imports go down or stay at home. */
  readonly floor: number;
  /** Rooms on the same floor or on others that it may see although the floors alone would not say so; `[]` for a room that sees less. */
  readonly sees?: readonly string[];
}

/**
 * The house: each room of `src/` by its folder (a file at the root, a noun, by its name), with its floor. A room sees itself and
 * the rooms below it, or just those in `sees` where that is said. A new room or door is a line here.
 */
export const house: Readonly<Record<string, Room>> = {
  wire: { floor: 1 },
  // What goes over the wire, as types and constants: shared with browsers.
  "protocol.ts": { floor: 1, sees: ["wire"] },
  lifecycle: { floor: 2, sees: ["wire"] },
  client: { floor: 2, sees: ["wire", "protocol.ts"] },
  events: { floor: 3, sees: ["wire", "lifecycle"] },
  push: { floor: 3, sees: ["wire", "lifecycle"] },
  dispatch: { floor: 4, sees: ["wire", "lifecycle", "events"] },
  "socket-io": { floor: 5, sees: ["wire", "lifecycle", "events", "dispatch"] },
  "socket-ingress.ts": { floor: 6, sees: ["wire", "lifecycle", "events", "dispatch", "socket-io"] },
  "handler.ts": { floor: 7, sees: ["wire", "lifecycle", "events", "socket-ingress.ts"] },
  "service.ts": { floor: 7, sees: ["wire", "lifecycle", "events", "socket-ingress.ts"] },
  "controller.ts": { floor: 7, sees: ["wire", "lifecycle", "events", "socket-ingress.ts", "service.ts"] },
  manager: {
    floor: 8,
    sees: [
      "wire",
      "lifecycle",
      "events",
      "dispatch",
      "socket-io",
      "socket-ingress.ts",
      "handler.ts",
      "service.ts",
      "controller.ts",
    ],
  },
  "service-manager.ts": {
    floor: 9,
    sees: [
      "wire",
      "lifecycle",
      "events",
      "dispatch",
      "socket-io",
      "socket-ingress.ts",
      "handler.ts",
      "service.ts",
      "controller.ts",
      "manager",
    ],
  },
  // The server's part of a feature: no dispatch, no Socket.IO's insides, no sibling but realtime through its door. `beside` says what one may see more.
  features: {
    floor: 10,
    sees: ["wire", "protocol.ts", "lifecycle", "events", "push", "handler.ts", "service.ts", "controller.ts"],
  },
  // The browser's part of a feature.
  "client.ts": { floor: 10, sees: ["wire", "client", "protocol.ts"] },
  testing: { floor: 11 },
  cli: { floor: 11 },
  // The door "." shows what the rooms hold.
  "index.ts": { floor: 12 },
};

/**
 * Files that one feature may see beside: `plain` plays the far end of a connection, and says over it what any client of realtime says
 * (decision 0052).
 */
const beside: Readonly<Record<string, readonly string[]>> = {
  plain: ["socket-io/far-end.ts", "features/realtime/protocol.ts"],
};

/** Imports that the table does not allow, each with the reason why it stands. */
export const exceptions: Readonly<Record<string, string>> = {};

/** The room of a file of `src/`, given relative to it. */
export function roomOf(path: string): string {
  const [first = "", feature, ...rest] = path.split("/");
  if (first !== "features") return feature === undefined ? path : first;
  const file = rest.join("/");
  if (file.startsWith("client/")) return "client.ts"; // its machinery
  return file === "protocol.ts" || file === "client.ts" ? file : "features";
}

/** Whether a file of one room may import a file of another, by the table alone. */
export function maySee(from: string, to: string): boolean {
  const [upper, lower] = [roomOf(from), roomOf(to)];
  if (upper === lower)
    return upper !== "features" || featureOf(from) === featureOf(to) || to === "features/realtime/index.ts";
  if (beside[featureOf(from) ?? ""]?.includes(to)) return true;
  const room = house[upper];
  if (room === undefined || house[lower] === undefined) return false;
  if (featureOf(from) !== undefined && featureOf(to) !== undefined && featureOf(from) !== featureOf(to)) return false;
  return room.sees === undefined ? house[lower].floor <= room.floor : room.sees.includes(lower);
}

/** The feature a file belongs to, if it is one's. */
export function featureOf(path: string): string | undefined {
  return /^features\/([^/]+)\//.exec(path)?.[1];
}

/** A folder with an `index.ts` is a door, and so is the `client.ts` of a feature: `src/` itself is `"."`. */
export function doorOf(path: string): string | undefined {
  if (path === "index.ts") return ".";
  const feature = /^features\/([^/]+)\/(index|client)\.ts$/.exec(path);
  if (feature !== null) return feature[2] === "index" ? `./${feature[1]}` : `./${feature[1]}/client`;
  const room = /^([^/]+)\/index\.ts$/.exec(path);
  return room === null ? undefined : `./${room[1]}`;
}
