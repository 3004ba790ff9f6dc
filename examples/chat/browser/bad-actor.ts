import { byId, element } from "../../page/dom.js";

/** Sends any event with any arguments and shows what comes back. */
export type Send = (label: string, event: string, ...args: unknown[]) => unknown;

/** Arrays in arrays, deeper than anything honest. */
function nested(depth: number): unknown {
  let value: unknown = "core";
  for (let level = 0; level < depth; level++) value = [value];
  return value;
}

/** What a thief has: see the server's `tokens.ts`. */
async function loot(which: "expired" | "stolen"): Promise<unknown> {
  return ((await (await fetch("loot")).json()) as Record<string, unknown>)[which];
}

const attacks: Record<string, (send: Send, label: string) => unknown> = {
  "No arguments": (send, label) => send(label, "message"),
  "Wrong types": (send, label) => send(label, "message", { room: ["lobby"], text: 42 }),
  "Missing field": (send, label) => send(label, "message", { room: "lobby", txet: "typo" }),
  "Too many arguments": (send, label) => send(label, "message", { room: "lobby", text: "" }, 1, 2, 3, null),
  "Half a megabyte": (send, label) => send(label, "message", { room: "lobby", text: "x".repeat(500_000) }),
  "2,000 arrays deep": (send, label) => send(label, "message", nested(2_000)),
  "Unknown event": (send, label) => send(label, "drop_tables", "users"),
  "Event named __proto__": (send, label) => send(label, "__proto__", { admin: true }),
  "__proto__ in the data": (send, label) => send(label, "open_room", JSON.parse('{"__proto__":{"name":"polluted"}}')),
  "Eavesdrop on a user": (send, label) => send(label, "ingress:join", "user:ada"),
  "Expired token": async (send, label) => send(label, "ingress:token", await loot("expired")),
  "Stolen token": async (send, label) => send(label, "ingress:token", await loot("stolen")),
  "Make a handler throw": (send, label) => send(label, "explode"),
  "Make a handler hang": (send, label) => send(label, "hang"),
  "Reply in circles": (send, label) => send(label, "circle"),
  "Flood of 2,000 events": (send, label) => {
    for (let i = 0; i < 2_000; i++) send(label, i % 2 === 0 ? "message" : `event ${i}`, i);
  },
};

/** Puts a button for each attack on the page. */
export function showAttacks(send: Send): void {
  for (const [label, attack] of Object.entries(attacks)) {
    const button = element("button", "", label);
    button.addEventListener("click", () => attack(send, label));
    byId("attacks").append(button);
  }
}
