import { type EventContext, type EventMap, Handler } from "socket-ingress";
import { Guests } from "../page/guests.js";
import type { App } from "./app.js";

const NAMES = ["Ada", "Bea", "Cem", "Dora", "Emil", "Fay", "Gus", "Hana", "Ivo", "June", "Kai", "Lea"];

/** Says who comes: the server gives a name, and a token that brings it back after a reload. */
export class TradersHandler extends Handler<App> {
  readonly name = "traders";
  readonly events = { connect: "admit" } satisfies EventMap<TradersHandler, App>;
  private readonly guests = new Guests((count) => {
    const round = Math.floor(count / NAMES.length);
    return `${NAMES[count % NAMES.length]}${round === 0 ? "" : ` ${round + 1}`}`;
  });

  admit({ socket }: EventContext<App>): void {
    const { guest, token } = this.guests.admit(socket.handshake.auth["token"]);
    socket.data.name = guest;
    socket.data.token = token;
  }
}
