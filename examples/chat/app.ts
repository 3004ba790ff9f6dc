import type { Server } from "socket.io";
import { z } from "zod";

/** What anybody may write, and what is left of it: validated before any method sees it. */
export const draft = z.object({ text: z.string().trim().min(1, "write something").max(500, "500 characters at most") });

export interface Message {
  id: number;
  from: string;
  text: string;
  at: number;
}

export interface ClientToServer {
  sign_in(who: { name: string }, reply: (r: { name: string; history: Message[] }) => void): void;
  message(draft: { text: string }, reply: (r: { id: number }) => void): void;
  // What the panel of the bad actor calls.
  explode(reply: (never: never) => void): void;
  hang(reply: (never: never) => void): void;
  circle(reply: (never: unknown) => void): void;
}

export interface ServerToClient {
  message(message: Message): void;
}

export type App = Server<ClientToServer, ServerToClient, Record<string, never>, { name?: string }>;
