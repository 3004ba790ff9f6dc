import type { Server } from "socket.io";
import type { Change } from "socket-ingress/changes";

export interface Ticket {
  id: number;
  title: string;
  customer: string;
  status: "open" | "closed";
  /** For agents only. */
  priority: number;
}
export interface Message {
  ticket: number;
  by: string;
  text: string;
}
interface ClientToServer {
  open_ticket(ticket: { title: string }, reply: (opened: { id: number }) => void): void;
  get_tickets(reply: (tickets: Partial<Ticket>[]) => void): void;
  say(message: { ticket: number; text: string }, reply: (said: Message) => void): void;
  close_ticket(ticket: number, reply: (closed: { id: number }) => void): void;
}
interface ServerToClient {
  said(message: Message): void;
  change(change: Change<Ticket>): void;
}
export type App = Server<ClientToServer, ServerToClient>;
