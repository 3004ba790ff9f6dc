import { randomUUID } from "node:crypto";
import { type EventContext, type EventMap, Handler } from "socket-ingress";
import { Guests } from "../page/guests.js";
import type { App, Painter } from "./app.js";

const FIRST = ["Amber", "Coral", "Indigo", "Jade", "Mauve", "Ochre", "Sepia", "Teal"];
const LAST = ["Otter", "Heron", "Lynx", "Finch", "Badger", "Moth", "Hare"];

/** Gives everyone who comes an identity, and it back after a reload: who paints what is the server's word, not the client's. */
export class PaintersHandler extends Handler<App> {
  readonly name = "painters";
  readonly events = { connect: "admit", whoami: "whoami" } satisfies EventMap<PaintersHandler, App>;
  private readonly guests = new Guests<Painter>((n) => {
    const name = `${FIRST[n % FIRST.length]} ${LAST[n % LAST.length]}`;
    return { id: randomUUID(), name, hue: (n * 137) % 360 };
  });

  admit({ socket }: EventContext<App>): void {
    const { guest, token } = this.guests.admit(socket.handshake.auth["token"]);
    socket.data.painter = guest;
    socket.data.token = token;
  }

  whoami({ socket }: EventContext<App>) {
    return { me: socket.data.painter, token: socket.data.token };
  }
}
