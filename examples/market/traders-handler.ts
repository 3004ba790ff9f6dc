import { randomUUID } from "node:crypto";
import { type EventContext, type EventMap, Handler } from "socket-ingress";
import type { App } from "./app.js";

const NAMES = ["Ada", "Bea", "Cem", "Dora", "Emil", "Fay", "Gus", "Hana", "Ivo", "June", "Kai", "Lea"];
const REMEMBERED = 10_000;

/** Says who comes: the server gives a name, and a token that brings it back after a reload. */
export class TradersHandler extends Handler<App> {
  readonly name = "traders";
  readonly events = { connect: "admit", whoami: "whoami" } satisfies EventMap<TradersHandler, App>;
  private readonly names = new Map<string, string>();
  private given = 0;

  admit({ socket }: EventContext<App>): void {
    const given: unknown = socket.handshake.auth["token"];
    const known = typeof given === "string" ? this.names.get(given) : undefined;
    socket.data.token = known === undefined ? randomUUID() : String(given);
    socket.data.name = known ?? this.newName();
    this.names.set(socket.data.token, socket.data.name);
    for (const oldest of this.names.keys()) {
      if (this.names.size <= REMEMBERED) break;
      this.names.delete(oldest);
    }
  }

  whoami({ socket }: EventContext<App>) {
    const { name = "", token = "" } = socket.data;
    return { name, token };
  }

  private newName(): string {
    const count = this.given++;
    const round = Math.floor(count / NAMES.length);
    return `${NAMES[count % NAMES.length]}${round === 0 ? "" : ` ${round + 1}`}`;
  }
}
