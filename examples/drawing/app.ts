import type { Server } from "socket.io";
import { z } from "zod";
import { HEIGHT, WIDTH } from "./board-size.js";

const COLORS = 6;

const board = z.string().regex(/^[a-z0-9-]{1,32}$/);
const x = z.int().min(0).max(WIDTH);
const y = z.int().min(0).max(HEIGHT);

export const boardId = z.object({ board });
export const place = z.object({ board, x, y });
export type Place = z.infer<typeof place>;
export const part = z.object({
  board,
  /** The painter's own name for the stroke. */
  stroke: z.string().regex(/^[a-z0-9-]{1,40}$/),
  /** Where in the stroke these points belong. */
  at: z.int().min(0).max(4_000),
  color: z
    .int()
    .min(0)
    .max(COLORS - 1),
  width: z.int().min(1).max(40),
  points: z
    .array(z.tuple([x, y]))
    .min(1)
    .max(500),
});
export type Part = z.infer<typeof part>;
export type Point = Part["points"][number];

export interface Stroke {
  id: string;
  by: string;
  color: number;
  width: number;
  points: Point[];
}

export interface Painter {
  id: string;
  name: string;
  hue: number;
}

export interface ClientToServer {
  whoami(reply: (who: { me: Painter; token: string }) => void): void;
  draw(part: Part, reply: (stroke: { id: string }) => void): void;
  undo(where: { board: string }, reply: (gone: { ids: string[] }) => void): void;
  clear(where: { board: string }, reply: (gone: { ids: string[] }) => void): void;
  cursor(place: Place): void;
}

export interface ServerToClient {
  drawn(part: Stroke & { board: string; at: number }): void;
  erased(gone: { board: string; ids: string[] }): void;
  cursor(place: Place & { by: string }): void;
}

export type App = Server<ClientToServer, ServerToClient, Record<string, never>, { painter: Painter; token: string }>;
