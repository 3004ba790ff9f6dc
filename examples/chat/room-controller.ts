import { Controller, type ControllerHandler, EventError, type EventContext } from "socket-ingress";
import { z } from "zod";
import { type App, draft, type Message } from "./app.js";

const signIn = z.object({ name: z.string().trim().min(1, "a name, please").max(24, "24 characters at most") });

/** The room: who is in it and what was said. */
export class RoomController extends Controller<App, { messages: readonly Message[] }> {
  readonly name = "room";
  override state = { messages: [] as readonly Message[] };

  override buildEvents(handler: ControllerHandler<App>): void {
    handler
      .on("sign_in", this.signIn, { input: signIn })
      .on("message", this.post, { input: draft, priority: 50 });
  }

  private signIn({ socket }: EventContext<App>, { name }: { name: string }) {
    socket.data.name = name;
    return { name, history: [...this.state.messages] };
  }

  private post({ socket }: EventContext<App>, { text }: { text: string }) {
    const { name } = socket.data;
    if (name === undefined) throw new EventError("UNAUTHENTICATED", "sign in first");
    const message = { id: (this.state.messages.at(-1)?.id ?? 0) + 1, from: name, text, at: Date.now() };
    this.setState(({ messages }) => ({ messages: [...messages.slice(-99), message] }));
    this.io?.emit("message", message);
    return { id: message.id }; // the sender's reply
  }
}
