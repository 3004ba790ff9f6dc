import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { type EventContext, type EventMap, Handler } from "socket-ingress";
import { Guests } from "../page/guests.js";
import type { App, Guest, NoteAddress } from "./app.js";

const NAMES = ["Ada", "Bea", "Cem", "Dua", "Eli", "Fay", "Gus", "Hoa"];

/** Who a visitor is, and where new notes are. */
export class NotesHandler extends Handler<App> {
  readonly name = "notes";
  readonly events = {
    connect: "onConnect",
    whoami: "onWhoami",
    create: "onCreate",
  } satisfies EventMap<NotesHandler, App>;
  private readonly guests = new Guests<Guest>((count) => ({
    id: `guest-${count + 1}`,
    name: `${NAMES[count % NAMES.length]}${count < NAMES.length ? "" : ` ${Math.floor(count / NAMES.length) + 1}`}`,
  }));
  private readonly secret: string;

  /** @param secret - what the keys of notes are made with: another one, and old addresses are for reading */
  constructor(secret: string) {
    super();
    this.secret = secret;
  }

  onConnect({ socket }: EventContext<App>): boolean {
    const { token, key } = socket.handshake.auth as { token?: unknown; key?: unknown };
    Object.assign(socket.data, this.guests.admit(token), { key });
    return true;
  }

  onWhoami({ socket }: EventContext<App>) {
    return { me: socket.data.guest, token: socket.data.token };
  }

  onCreate(): NoteAddress {
    const id = randomBytes(6).toString("base64url");
    return { id, key: this.keyOf(id) };
  }

  /** Whether a key is that of a note. */
  opens(key: unknown, id: string): boolean {
    const expected = Buffer.from(this.keyOf(id));
    const given = Buffer.from(typeof key === "string" ? key : "");
    return given.length === expected.length && timingSafeEqual(given, expected);
  }

  private keyOf(id: string): string {
    return createHmac("sha256", this.secret).update(id).digest("base64url").slice(0, 22);
  }
}
