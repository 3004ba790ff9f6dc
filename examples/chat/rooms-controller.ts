import { type ControllerHandler, EventError, type EventContext } from "socket-ingress";
import { type Realtime, RealtimeController, user } from "socket-ingress/realtime";
import { type App, type Draft, draft, type Message, newRoom, type RoomSummary } from "./app.js";

const KEEP = 100;
const ROOMS_MAX = 50;

/** The rooms: each is a topic that clients join, with what was said in it and who is there. */
export class RoomsController extends RealtimeController<App> {
  readonly name = "rooms";
  private readonly rooms = new Map<string, Message[]>(["lobby", "design", "random"].map((id) => [id, []]));
  private lastId = 0;

  constructor(realtime: Realtime<App>) {
    super();
    realtime.topics.define("room:{id}", {
      join: ({ user: name }, { id }) => {
        if (name === undefined) throw new EventError("UNAUTHENTICATED", "sign in first");
        if (!this.rooms.has(id)) throw new EventError("NOT_FOUND", `there is no room "${id}"`);
      },
      snapshot: (_context, { id }) => this.rooms.get(id),
      presence: true,
    });
  }

  override buildEvents(handler: ControllerHandler<App>): void {
    handler
      .on("whoami", this.whoami)
      .on("get_rooms", this.list)
      .on("open_room", this.open, { input: newRoom })
      .on("message", this.post, { input: draft, priority: 50 })
      .on("typing", this.typing, {
        input: draft.pick({ room: true }),
        concurrency: 1,
        queueMax: 1,
        overflow: "dropOldest",
      });
  }

  private whoami({ socket }: EventContext<App>) {
    return { name: this.realtime.identify(socket).user ?? null };
  }

  private list(): RoomSummary[] {
    return [...this.rooms].map(([id, said]) => ({ id, messages: said.length, last: said.at(-1)?.text ?? "" }));
  }

  private open(context: EventContext<App>, { name }: { name: string }) {
    this.userOf(context);
    if (this.rooms.has(name)) throw new EventError("CONFLICT", `there is a room "${name}" already`);
    if (this.rooms.size >= ROOMS_MAX) throw new EventError("FORBIDDEN", "there are rooms enough");
    this.rooms.set(name, []);
    void this.emitSocketRefetch("get_rooms", { event: "rooms_changed" });
    return { id: name };
  }

  private post(context: EventContext<App>, { room, text }: Draft) {
    const from = this.memberOf(context, room);
    const message = { id: ++this.lastId, room, from, text, at: Date.now() };
    this.rooms.set(room, [...(this.rooms.get(room) ?? []), message].slice(-KEEP));
    void this.emitSocket("message", message, { topic: `room:${room}` });
    void this.emitSocketRefetch("get_rooms", { event: "rooms_changed" });
    return { id: message.id }; // the sender's reply
  }

  private typing(context: EventContext<App>, { room }: { room: string }): void {
    const name = this.memberOf(context, room);
    void this.emitSocket("typing", { room, name }, { topic: `room:${room}`, except: user(name) });
  }

  private userOf({ socket }: EventContext<App>): string {
    const { user: name } = this.realtime.identify(socket);
    if (name === undefined) throw new EventError("UNAUTHENTICATED", "sign in first");
    return name;
  }

  private memberOf(context: EventContext<App>, room: string): string {
    const name = this.userOf(context);
    if (this.realtime.list(`room:${room}`).some((member) => member.user === name)) return name;
    throw new EventError("FORBIDDEN", "join the room first");
  }
}
