import { byId, element } from "./dom.js";

/** Sends any event with any arguments and shows what comes back. */
export type Send = (label: string, event: string, ...args: unknown[]) => Promise<unknown>;

/** Arrays in arrays, deeper than anything honest. */
function nested(depth: number): unknown {
  let value: unknown = "core";
  for (let level = 0; level < depth; level++) value = [value];
  return value;
}

const attacks: Record<string, (send: Send, label: string) => unknown> = {
  "No arguments": (send, label) => send(label, "message"),
  "Wrong types": (send, label) => send(label, "message", { text: 42 }),
  "Missing field": (send, label) => send(label, "message", { txet: "typo" }),
  "Too many arguments": (send, label) => send(label, "message", { text: "" }, 1, 2, 3, null),
  "Half a megabyte": (send, label) => send(label, "message", { text: "x".repeat(500_000) }),
  "2,000 arrays deep": (send, label) => send(label, "message", nested(2_000)),
  "Unknown event": (send, label) => send(label, "drop_tables", "users"),
  "An event named __proto__": (send, label) => send(label, "__proto__", { admin: true }),
  "__proto__ in the data": (send, label) => send(label, "message", JSON.parse('{"__proto__":{"text":"polluted"}}')),
  "Make a handler throw": (send, label) => send(label, "explode"),
  "Make a handler hang": (send, label) => send(label, "hang"),
  "A reply in circles": (send, label) => send(label, "circle"),
  "Flood: 2,000 events": (send, label) =>
    Promise.all(Array.from({ length: 2_000 }, (_, i) => send(label, i % 2 ? "message" : `event ${i}`, i))),
};

/** Puts a button for each attack on the page. */
export function showAttacks(send: Send): void {
  for (const [label, attack] of Object.entries(attacks)) {
    const button = element("button", "", label);
    button.addEventListener("click", () => void attack(send, label));
    byId("attacks").append(button);
  }
}
