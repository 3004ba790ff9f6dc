import type { Socket } from "socket.io-client";
import { keepAuthenticated } from "socket-ingress/auth/client";
import { createClient, EventFailure, type Member } from "socket-ingress/client";
import type { App, ClientToServer, Message, RoomSummary, ServerToClient } from "../app.js";
import { connect, showConnection } from "../../page/connection.js";
import { countDown } from "../../page/countdown.js";
import { byId, element, onSubmit, showItems } from "../../page/dom.js";
import { failureDetail, failureText, type Reason } from "../../page/failure-text.js";
import { firstGraphemes } from "../../page/graphemes.js";
import { avatar } from "./avatar.js";
import { showAttacks } from "./bad-actor.js";
import { logReply } from "./log.js";
import { addMessage, showHistory } from "./messages.js";
import { type Entry, Outbox } from "./outbox.js";
import { startTyping, stopAllTyping, stopTyping, TYPING_MS } from "./typing.js";

const socket: Socket<ServerToClient, ClientToServer> = connect();
const client = createClient<App>(socket);
showConnection(socket);

const LOBBY = "lobby";
let me: string | null = null;
let room = LOBBY;
let leaveRoom = (): void => {};

// --- calls: each shows its reply or its failure -----------------------------------------------------------------------------

const notice = byId("notice");

/** The same call, which leaves a line in the log when it is answered. */
async function logged<T>(label: string, call: Promise<T>): Promise<T> {
  const started = performance.now();
  try {
    const value = await call;
    logReply(label, "OK", JSON.stringify(value) ?? "", performance.now() - started);
    return value;
  } catch (error) {
    if (error instanceof EventFailure) {
      logReply(label, error.code, failureDetail(error), performance.now() - started);
      if (error.code === "RATE_LIMITED") countDown(error.retryAfterMs ?? 0);
    }
    throw error;
  }
}

/** Resolves to the value, or to nothing when it failed and the notice says why. */
async function attempt<T>(label: string, call: Promise<T>): Promise<T | undefined> {
  try {
    const value = await logged(label, call);
    notice.textContent = "";
    return value;
  } catch (error) {
    if (!(error instanceof EventFailure)) throw error;
    notice.textContent = failureText(error);
    return undefined;
  }
}

showAttacks((label, event, ...args) => {
  const started = performance.now();
  // As a client would that knows no types.
  (socket as unknown as Socket).emit(event, ...args, (reply: { error?: Reason & { code: string } } | null) => {
    const reason: Reason & { code: string } = reply?.error ?? { code: "OK", message: JSON.stringify(reply) };
    logReply(label, reason.code, failureDetail(reason), performance.now() - started);
    if (reason.code === "RATE_LIMITED") countDown((reason.details as { retryAfterMs: number }).retryAfterMs);
  });
});

// --- who I am ---------------------------------------------------------------------------------------------------------------

function showIdentity(name: string | null): void {
  const known = !byId("sign-in").hidden || me !== null;
  if (known && name === me) return; // a reconnect, after which the client joins its topics by itself
  me = name;
  byId("sign-in").hidden = name !== null;
  byId("sign-out").hidden = name === null;
  byId("composer").inert = byId("open-room").inert = name === null;
  byId("me").replaceChildren(...(name === null ? [] : [avatar(name), name]));
  notice.textContent = byId("refusal").textContent = "";
  leaveRoom();
  if (name === null) byId("name").focus();
  else void enter(room);
}

let given: string | undefined;

/** Presents a token with each connection, and another before it expires. Without one, the server knows a guest. */
const kept = keepAuthenticated(client, {
  async token() {
    const first = given;
    given = undefined;
    if (first !== undefined) return first;
    const response = await fetch("token", { method: "POST" });
    return response.status === 200 ? response.text() : undefined; // a guest has none
  },
  onEnded: () => {
    showIdentity(null); // signed out, here or in another tab
    socket.connect();
  },
});

async function signedIn({ name, token }: { name: string; token: string }): Promise<void> {
  given = token;
  await kept.refresh();
  showIdentity(name);
}

async function post(path: string, body: object): Promise<void> {
  const refusal = byId("refusal");
  try {
    const response = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const { message } = (await response.json()) as { message?: string };
    refusal.textContent = message ?? "";
  } catch {
    refusal.textContent = notice.textContent = "the server can't be reached, please try again";
  }
}

async function askIdentity(): Promise<void> {
  const before = me;
  const answer = await attempt("Who am I", client.call("whoami"));
  if (answer === undefined) return; // the connection went; the next one asks again
  showIdentity(answer.name);
  if (before === null || me !== null) return;
  byId("refusal").textContent = "the server has forgotten you, please sign in again";
  byId<HTMLInputElement>("name").value = before;
}
client.onReady(askIdentity);
client.onReconnect(askIdentity);
client.on("identity", signedIn); // every tab of this browser hears it
onSubmit("sign-in", () => post("sign-in", { name: byId<HTMLInputElement>("name").value }));
onSubmit("sign-out", () => post("sign-out", {}));

// --- rooms: a signal says that they changed, and the client asks again ------------------------------------------------------

let rooms: readonly RoomSummary[] = [];

function showRooms(): void {
  showItems(
    byId("rooms"),
    rooms,
    ({ id }) => id,
    ({ id }) => {
      const button = element("button", "", element("b", "", `# ${id}`), element("span", ""), element("i", ""));
      button.addEventListener("click", () => void enter(id));
      return element("li", "", button);
    },
  );
  for (const [at, button] of document.querySelectorAll("#rooms button").entries()) {
    const { id, messages, last } = rooms[at] as RoomSummary;
    button.querySelector("span")!.textContent = last || "nothing said yet";
    button.querySelector("i")!.textContent = String(messages);
    button.setAttribute("aria-label", `${id}, ${messages} messages`);
    button.setAttribute("aria-current", String(id === room));
  }
}

client.refetchOnSocket(
  "rooms_changed",
  "get_rooms",
  (fresh) => {
    rooms = fresh;
    showRooms();
  },
  { immediate: true },
);

onSubmit("open-room", async () => {
  const input = byId<HTMLInputElement>("room-name");
  const opened = await attempt("Open a room", client.call("open_room", { name: input.value }));
  if (opened === undefined) return;
  input.value = "";
  await enter(opened.id);
});

// --- the room I am in: a topic with a snapshot and presence -----------------------------------------------------------------

function showPeople(people: readonly Member[]): void {
  const names = people.map(({ user }) => user).sort();
  showItems(byId("people"), names, String, (name) => element("li", "", avatar(name), name));
}

async function enter(id: string): Promise<void> {
  leaveRoom();
  room = id;
  byId("room").textContent = `# ${id}`;
  showRooms();
  if (me === null) return; // chosen, and entered after the sign-in
  const topic = `room:${id}`;
  const join = client.joinTopic(topic, {
    // Again after each reconnect.
    onJoined({ snapshot: history }) {
      if (room === id) showHistory(history as Message[], me);
      if (me !== null) outbox.opened(id, me);
    },
    onLost(failure) {
      outbox.closed(id);
      notice.textContent = failureText(failure);
    },
  });
  const offPresence = client.onPresence(topic, showPeople);
  leaveRoom = () => {
    leaveRoom = () => {};
    // What waits for a connection was said in this room.
    void outbox.emptied(id).then(() => {
      join.leave();
      if (room !== id) outbox.closed(id);
    });
    offPresence();
    showPeople([]);
    showHistory(undefined, me);
    stopAllTyping();
  };
  document.querySelector(`#rooms [aria-current="true"]`)?.scrollIntoView({ block: "nearest" });
  byId("text").focus();
  try {
    await logged(`Join # ${id}`, join);
    notice.textContent = "";
  } catch (error) {
    if (!(error instanceof EventFailure)) throw error;
    notice.textContent = failureText(error);
    if (room !== id || id === LOBBY) return;
    if (error.code === "NOT_FOUND") outbox.refuse(id, error); // a room of a server before this one, for instance
    const why = notice.textContent;
    await enter(LOBBY);
    notice.textContent = why;
  }
}

client.on("message", (message) => {
  stopTyping(message.from);
  if (message.room === room) addMessage(message, me);
});

// What is said waits for its answer, however long that takes.
const outbox = new Outbox(sayOnce, (entry, failure) => {
  const input = byId<HTMLInputElement>("text");
  const isElsewhere = input.value !== "" || entry.room !== room;
  notice.textContent = (isElsewhere ? `"${firstGraphemes(entry.text, 30)}" was not sent: ` : "") + failureText(failure);
  if (!isElsewhere) input.value = entry.text;
});
socket.on("disconnect", () => outbox.closed());

/** The server sees by the id whether it has this already. */
async function sayOnce({ room, text, requestId }: Entry): Promise<void> {
  await logged("Message", client.with({ requestId }).call("message", { room, text }));
  notice.textContent = "";
}

onSubmit("composer", () => {
  const input = byId<HTMLInputElement>("text");
  if (me === null) return;
  if (input.value.trim() === "") notice.textContent = "write something first";
  else outbox.add(me, room, input.value);
  input.value = "";
  toldAt = -Infinity;
});

// --- typing -----------------------------------------------------------------------------------------------------------------

let toldAt = -Infinity;

client.on("typing", ({ room: where, name }) => where === room && startTyping(name));

byId("text").addEventListener("input", () => {
  if (!socket.connected || performance.now() - toldAt < TYPING_MS / 2) return;
  toldAt = performance.now();
  socket.emit("typing", { room });
});
