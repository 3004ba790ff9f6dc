import { io, type Socket } from "socket.io-client";
import { createClient, EventFailure, type Member } from "socket-ingress/client";
import type { App, ClientToServer, Message, RoomSummary, ServerToClient } from "../app.js";
import { showAttacks } from "./bad-actor.js";
import { avatar, byId, element, onSubmit } from "./dom.js";
import { logReply } from "./log.js";

const TYPING_MS = 3_000;

// WebSocket first: the server notices at once when a tab is closed.
const socket: Socket<ServerToClient, ClientToServer> = io({
  transports: ["websocket", "polling"],
  tryAllTransports: true,
});
const client = createClient<App>(socket);

let me: string | null | undefined; // not known yet
let room = "lobby";
let leaveRoom = (): void => {};

// --- calls: each shows its reply or its failure -----------------------------------------------------------------------------

interface Reason {
  code: string;
  message: string;
  details?: unknown;
}

/** What a person is told: of invalid input, what is wrong with it. */
function tell({ message, details }: Reason): string {
  const [issue] = (details as { issues?: { path: (string | number)[]; message: string }[] } | undefined)?.issues ?? [];
  return issue === undefined ? message : [...issue.path, issue.message].join(": ");
}

/** Resolves to the value, or to nothing when it failed and the notice says why. */
async function attempt<T>(label: string, call: Promise<T>): Promise<T | undefined> {
  const started = performance.now();
  try {
    const value = await call;
    logReply(label, "OK", JSON.stringify(value) ?? "", performance.now() - started);
    byId("notice").textContent = "";
    return value;
  } catch (error) {
    if (!(error instanceof EventFailure)) throw error;
    logReply(label, error.code, tell(error), performance.now() - started);
    byId("notice").textContent = tell(error);
    return undefined;
  }
}

showAttacks((label, event, ...args) => {
  const started = performance.now();
  // As a client would that knows no types.
  (socket as unknown as Socket).emit(event, ...args, (reply: { error?: Reason } | null) => {
    const reason = reply?.error ?? { code: "OK", message: JSON.stringify(reply) };
    logReply(label, reason.code, tell(reason), performance.now() - started);
  });
});

// --- who I am ---------------------------------------------------------------------------------------------------------------

function showIdentity(name: string | null): void {
  if (name === me) return; // a reconnect, after which the client joins its topics by itself
  me = name;
  byId("sign-in").hidden = name !== null;
  byId("sign-out").hidden = name === null;
  byId("composer").inert = name === null;
  byId("messages").replaceChildren();
  byId("me").replaceChildren(...(name === null ? [] : [avatar(name), name]));
  if (name === null) leaveRoom();
  else void enter(room);
}

async function post(path: string, body: object): Promise<void> {
  const response = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const { message } = (await response.json()) as { message?: string };
  byId("refusal").textContent = message ?? "";
}

const askIdentity = async (): Promise<void> => showIdentity((await client.call("whoami")).name);
client.onReady(askIdentity);
client.onReconnect(askIdentity);
client.on("identity", ({ name }) => showIdentity(name)); // every tab of this browser hears it
onSubmit("sign-in", () => post("/sign-in", { name: byId<HTMLInputElement>("name").value }));
onSubmit("sign-out", () => post("/sign-out", {}));

// --- rooms: a signal says that they changed, and the client asks again ------------------------------------------------------

function showRooms(rooms: RoomSummary[]): void {
  const items = rooms.map(({ id, messages, last }) => {
    const button = element("button", "", element("b", "", `# ${id}`), element("span", "", last || "nothing said yet"));
    button.append(element("i", "", String(messages)));
    button.setAttribute("aria-current", String(id === room));
    button.addEventListener("click", () => void enter(id));
    return element("li", "", button);
  });
  byId("rooms").replaceChildren(...items);
  document.querySelector(`#rooms [aria-current="true"]`)?.scrollIntoView({ block: "nearest" });
}

client.refetchOnSocket("rooms_changed", "get_rooms", showRooms, { immediate: true });

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
  byId("people").replaceChildren(...names.map((name) => element("li", "", avatar(name), name)));
}

function showMessage({ from, text, at }: Message): void {
  const time = new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const body = element("div", "", element("b", "", from), element("time", "", time), element("p", "", text));
  const item = element("li", from === me ? "mine" : "", avatar(from), body);
  byId("messages").append(item);
  item.scrollIntoView({ block: "end" });
}

async function enter(id: string): Promise<void> {
  const topic = `room:${id}`;
  const join = client.joinTopic(topic, {
    onSnapshot: (history) => {
      byId("messages").replaceChildren();
      for (const message of history as Message[]) showMessage(message);
    },
    onLost: () => showIdentity(null),
  });
  leaveRoom();
  const offPresence = client.onPresence(topic, showPeople);
  leaveRoom = () => {
    join.leave();
    offPresence();
    showPeople([]);
  };
  room = id;
  byId("room").textContent = `# ${id}`;
  byId("text").focus();
  for (const button of document.querySelectorAll("#rooms button")) {
    button.setAttribute("aria-current", String(button.querySelector("b")?.textContent === `# ${id}`));
  }
  await attempt(`Join # ${id}`, join);
}

client.on("message", (message) => {
  stopTyping(message.from);
  if (message.room === room) showMessage(message);
});

onSubmit("composer", async () => {
  const input = byId<HTMLInputElement>("text");
  const sent = await attempt("Message", client.call("message", { room, text: input.value }));
  if (sent === undefined) return;
  input.value = "";
  toldAt = -Infinity;
});

// --- typing -----------------------------------------------------------------------------------------------------------------

const typists = new Map<string, ReturnType<typeof setTimeout>>();
let toldAt = -Infinity;

function showTyping(): void {
  const names = [...typists.keys()];
  byId("typing").textContent =
    names.length === 0 ? "" : `${names.join(", ")} ${names.length === 1 ? "is" : "are"} typing`;
}

function stopTyping(name: string): void {
  clearTimeout(typists.get(name));
  typists.delete(name);
  showTyping();
}

client.on("typing", ({ room: where, name }) => {
  if (where !== room) return;
  clearTimeout(typists.get(name));
  typists.set(name, setTimeout(stopTyping, TYPING_MS, name));
  showTyping();
});

byId("text").addEventListener("input", () => {
  if (performance.now() - toldAt < TYPING_MS / 2) return;
  toldAt = performance.now();
  socket.emit("typing", { room });
});

// --- the connection ---------------------------------------------------------------------------------------------------------

function showStatus(state: string): void {
  byId("status").dataset["state"] = state;
  byId("status").textContent = state;
}
socket.on("connect", () => showStatus("connected"));
socket.on("disconnect", () => showStatus("disconnected"));
