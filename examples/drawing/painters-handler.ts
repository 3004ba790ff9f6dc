import { randomUUID } from "node:crypto";
import { type EventContext, type EventMap, Handler } from "socket-ingress";
import type { App, Painter } from "./app.js";

const FIRST = ["Amber", "Coral", "Indigo", "Jade", "Mauve", "Ochre", "Sepia", "Teal"];
const LAST = ["Otter", "Heron", "Lynx", "Finch", "Badger", "Moth", "Hare"];

const anonymous: Painter = { id: "", name: "", hue: 0 };

/** Gives everyone who comes an identity: who paints what is the server's word, not the client's. */
export class PaintersHandler extends Handler<App> {
  readonly name = "painters";
  readonly events = { connect: "admit", whoami: "whoami" } satisfies EventMap<PaintersHandler, App>;
  private count = 0;

  admit({ socket }: EventContext<App>): void {
    const n = this.count++;
    const name = `${FIRST[n % FIRST.length]} ${LAST[n % LAST.length]}`;
    socket.data.painter = { id: randomUUID(), name, hue: (n * 137) % 360 };
  }

  whoami({ socket }: EventContext<App>): Painter {
    return socket.data.painter ?? anonymous;
  }
}
