import type { Server } from "socket.io";
import { z } from "zod";

export interface Message {
  id: number;
  room: string;
  from: string;
  text: string;
  at: number;
}

export interface RoomSummary {
  id: string;
  messages: number;
  last: string;
}

export interface ClientToServer {
  whoami(reply: (r: { name: string | null }) => void): void;
  get_rooms(reply: (rooms: RoomSummary[]) => void): void;
  open_room(room: { name: string }, reply: (r: { id: string }) => void): void;
  message(draft: Draft, reply: (r: { id: number }) => void): void;
  typing(where: { room: string }): void;
  // What the panel of the bad actor calls.
  explode(reply: (nothing: unknown) => void): void;
  hang(reply: (nothing: unknown) => void): void;
  circle(reply: (nothing: unknown) => void): void;
}

export interface ServerToClient {
  /** Somebody has signed in, in this tab or another: here is a token for them. */
  identity(who: { name: string; token: string }): void;
  message(message: Message): void;
  typing(who: { room: string; name: string }): void;
  /** A signal: whoever shows the rooms asks for them again. */
  rooms_changed(): void;
}

export type App = Server<ClientToServer, ServerToClient>;

// Schemas: what arrives is checked before any method sees it.

export const draft = z.object({
  room: z.string().max(40),
  text: z.string().trim().min(1, "write something first").max(500, "500 characters at most"),
});
export type Draft = z.infer<typeof draft>;

export const newRoom = z.object({
  name: z
    .string()
    .trim()
    .toLowerCase()
    .regex(/^[a-z0-9][a-z0-9-]{1,23}$/, "2 to 24 letters, digits and dashes"),
});

export const userName = z.string().trim().min(1, "a name, please").max(24, "24 characters at most");
