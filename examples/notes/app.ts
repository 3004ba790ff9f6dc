import type { Server } from "socket.io";

export interface Guest {
  id: string;
  name: string;
}

/** Where a note is, and what lets one write in it: whoever has the address without the key may read. */
export interface NoteAddress {
  id: string;
  key: string;
}

export interface ClientToServer {
  whoami(reply: (who: { me: Guest; token: string }) => void): void;
  create(reply: (address: NoteAddress) => void): void;
}

export type App = Server<
  ClientToServer,
  Record<string, never>,
  Record<string, never>,
  { guest: Guest; token: string; key: unknown }
>;
