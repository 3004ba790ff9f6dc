// A support desk as a new user wrote it, with README and guides alone: sign-in, tickets as topics with policies, presence, a live list,
// notifications, a guard. Its tests are desk-test.ts and sign-in-test.ts.
import { type ControllerHandler, type EventContext, EventError, ServiceManager } from "socket-ingress";
import { Auth } from "socket-ingress/auth";
import { Changes } from "socket-ingress/changes";
import { Notifications } from "socket-ingress/notifications";
import { Realtime, RealtimeController } from "socket-ingress/realtime";
import { z } from "zod";
import { accounts } from "./accounts.js";
import type { App, Message, Ticket } from "./app.js";

interface Parts {
  readonly auth: Auth<App>;
  readonly realtime: Realtime<App>;
  readonly changes: Changes<App>;
  readonly notifications: Notifications<App>;
}

const isAgent = (user: string | undefined): boolean => accounts.get(user ?? "")?.role === "agent";

/** Tickets, their list, and the conversation about each of them. */
class TicketsController extends RealtimeController<App> {
  readonly name = "tickets";
  readonly #parts: Parts;
  readonly #tickets = new Map<number, Ticket>();
  readonly #messages = new Map<number, Message[]>();
  readonly #model;

  constructor(parts: Parts) {
    super();
    this.#parts = parts;
    parts.realtime.topics.define("conversation:{id}", {
      join: ({ user }, { id }) => {
        const ticket = this.#find(Number(id));
        if (!isAgent(user) && ticket.customer !== user) throw new EventError("FORBIDDEN", "not your ticket");
      },
      snapshot: (_context, { id }) => this.#messages.get(Number(id)) ?? [],
      presence: { info: ({ user }) => ({ name: accounts.get(user ?? "")?.name }) },
      history: { keep: 1_000, maxAgeMs: 3_600_000 },
    });
    this.#model = parts.changes.define<Ticket>("ticket", {
      id: ({ id }) => id,
      topics: ({ customer }) => [`customer/${customer}`],
      fields: { agent: "*", customer: ["id", "title", "customer", "status"] },
      mayRead: ({ user }, { field, value }) => isAgent(user) || (field === "customer" && value === user),
    });
  }

  override buildEvents(handler: ControllerHandler<App>) {
    handler
      .on("open_ticket", this.open, { input: z.object({ title: z.string().min(1).max(200) }) })
      .on("get_tickets", this.list)
      .on("say", this.say, { input: z.object({ ticket: z.number(), text: z.string().min(1).max(5_000) }) })
      .on("close_ticket", this.#parts.auth.guard("agent"), { guard: true })
      .on("close_ticket", this.close, { input: z.number() });
  }

  private open({ socket }: EventContext<App>, { title }: { title: string }) {
    const ticket: Ticket = {
      id: this.#tickets.size + 1,
      title,
      customer: this.#user(socket),
      status: "open",
      priority: 3,
    };
    this.#tickets.set(ticket.id, ticket);
    this.#model.created(ticket);
    return { id: ticket.id };
  }

  private list({ socket }: EventContext<App>): Partial<Ticket>[] {
    const user = this.#user(socket);
    const all = [...this.#tickets.values()];
    if (isAgent(user)) return all;
    return all.filter(({ customer }) => customer === user).map(({ priority: _priority, ...shown }) => shown);
  }

  private async say({ socket }: EventContext<App>, { ticket: id, text }: { ticket: number; text: string }) {
    const { realtime, notifications } = this.#parts;
    const name = `conversation:${id}`;
    if (!realtime.topicsOf(socket).includes(name)) throw new EventError("FORBIDDEN", "join the conversation first");
    const message: Message = { ticket: id, by: this.#user(socket), text };
    this.#messages.set(id, [...(this.#messages.get(id) ?? []), message]);
    void this.emitSocket("said", message, { topic: name });
    const { customer, title } = this.#find(id);
    if (customer !== message.by)
      await notifications.send(customer, { title: `Answer: ${title}`, message: text, data: { ticket: id } });
    return message;
  }

  private close(_context: EventContext<App>, id: number) {
    const before = this.#find(id);
    const after: Ticket = { ...before, status: "closed" };
    this.#tickets.set(id, after);
    this.#model.updated(after, before);
    return { id };
  }

  #find(id: number): Ticket {
    const ticket = this.#tickets.get(id);
    if (ticket === undefined) throw new EventError("NOT_FOUND", `there is no ticket ${id}`);
    return ticket;
  }

  #user(socket: EventContext<App>["socket"]): string {
    const { user } = this.#parts.realtime.identify(socket);
    if (user === undefined) throw new EventError("UNAUTHENTICATED", "sign in first");
    return user;
  }
}

/** A desk on this server; whoever calls it boots the manager. */
export function createDesk(io: App, secret: string): ServiceManager<App> {
  const auth = new Auth<App>({
    secret,
    claims: ({ sub }) => {
      const account = accounts.get(sub);
      return account !== undefined && { roles: [account.role] };
    },
  });
  const realtime = new Realtime<App>({ user: auth.user, session: auth.session });
  const changes = new Changes<App>({ realtime, variant: ({ user }) => (isAgent(user) ? "agent" : "customer") });
  const notifications = new Notifications<App>({ realtime });
  return new ServiceManager<App>(io)
    .registerHandler(auth)
    .registerHandler(realtime)
    .registerHandler(changes)
    .registerHandler(notifications)
    .registerController(new TicketsController({ auth, realtime, changes, notifications }));
}
