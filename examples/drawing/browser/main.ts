import { io, type Socket } from "socket.io-client";
import { createClient, EventFailure, type Member } from "socket-ingress/client";
import type { App, ClientToServer, Painter, Point, ServerToClient, Stroke } from "../app.js";
import { Canvas } from "./canvas.js";
import { Cursors } from "./cursors.js";

const byId = <T extends HTMLElement = HTMLElement>(id: string): T => document.getElementById(id) as T;

// WebSocket first: the server notices at once when a tab is closed.
const socket: Socket<ServerToClient, ClientToServer> = io({
  transports: ["websocket", "polling"],
  tryAllTransports: true,
});
const client = createClient<App>(socket);
const canvas = new Canvas(byId<HTMLCanvasElement>("canvas"));
const cursors = new Cursors(byId("cursors"));

let me: Painter | undefined;
let board = "";
let leaveBoard = (): void => {};

// --- the board: a topic, whose snapshot is the drawing so far ---------------------------------------------------------------

async function attempt(call: Promise<unknown>): Promise<void> {
  try {
    await call;
    byId("notice").textContent = "";
  } catch (error) {
    if (!(error instanceof EventFailure)) throw error;
    byId("notice").textContent = error.message;
  }
}

function showPainters(members: readonly Member[]): void {
  const painters = members.map(({ info }) => info as Painter);
  cursors.keep(new Map(painters.map((painter) => [painter.id, painter])));
  const items = painters.map(({ id, name, hue }) => {
    const item = document.createElement("li");
    item.style.setProperty("--hue", String(hue));
    item.textContent = id === me?.id ? `${name} (you)` : name;
    return item;
  });
  byId("painters").replaceChildren(...items);
}

function open(name: string): void {
  leaveBoard();
  board = name;
  byId("board").textContent = `#${name}`;
  const topic = `board:${name}`;
  canvas.reset([]);
  // Again after each reconnect: what was missed is in the snapshot.
  const join = client.joinTopic(topic, { onSnapshot: (strokes) => canvas.reset(strokes as Stroke[]) });
  const offPresence = client.onPresence(topic, showPainters);
  leaveBoard = () => {
    join.leave();
    offPresence();
  };
  void attempt(join);
}

client.on("drawn", (part) => part.board === board && canvas.add(part));
client.on("erased", (gone) => gone.board === board && canvas.erase(gone.ids));
client.on("cursor", (place) => place.board === board && cursors.move(place));

function openFromHash(): void {
  const name = location.hash.slice(1).toLowerCase();
  open(/^[a-z0-9-]{1,32}$/.test(name) ? name : "lobby");
}
addEventListener("hashchange", openFromHash);
byId("new-board").addEventListener("click", () => {
  location.hash = Math.random().toString(36).slice(2, 8);
});

/** Each connection is a new painter: whatever was being drawn ends. */
async function learnMyName(): Promise<void> {
  me = await client.call("whoami");
  drawing = undefined;
  showPainters(client.presence(`board:${board}`));
}
client.onReconnect(learnMyName);
client.onReady(async () => {
  await learnMyName();
  openFromHash();
});

// --- drawing: at most one packet a frame, shown here at once ----------------------------------------------------------------

const STROKE_MAX = 3_000;

const choice = (name: string): number =>
  Number(document.querySelector<HTMLInputElement>(`input[name="${name}"]:checked`)?.value);

let strokes = 0;
let drawing: { stroke: number; sent: number; color: number; width: number } | undefined;
let points: Point[] = [];
let pointer: Point | undefined;
let frame = 0;

function flush(): void {
  frame = 0;
  if (pointer !== undefined && socket.connected) socket.emit("cursor", { board, x: pointer[0], y: pointer[1] });
  pointer = undefined;
  if (drawing === undefined || points.length === 0) return;
  const { stroke, sent: at, color, width } = drawing;
  drawing.sent += points.length;
  void attempt(client.call("draw", { board, stroke, at, color, width, points }));
  points = points.slice(-1);
  if (drawing.sent > STROKE_MAX) drawing = { ...drawing, stroke: strokes++, sent: 0 };
  else points = [];
}

function track(event: PointerEvent): void {
  pointer = canvas.place(event);
  if (drawing !== undefined && me !== undefined) {
    const fresh = event.getCoalescedEvents().map((each) => canvas.place(each));
    if (fresh.length === 0) fresh.push(pointer);
    const { stroke, sent, color, width } = drawing;
    canvas.add({ id: `${me.id}/${stroke}`, by: me.id, color, width, at: sent + points.length, points: fresh });
    points.push(...fresh);
  }
  frame ||= requestAnimationFrame(flush);
}

canvas.element.addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  canvas.element.setPointerCapture(event.pointerId);
  drawing = { stroke: strokes++, sent: 0, color: choice("color"), width: choice("width") };
  track(event);
});
canvas.element.addEventListener("pointermove", track);
canvas.element.addEventListener("pointerup", () => {
  flush();
  drawing = undefined;
});
canvas.element.addEventListener("pointercancel", () => (drawing = undefined));

const undo = (): void => void attempt(client.call("undo", { board }));
byId("undo").addEventListener("click", undo);
byId("clear").addEventListener("click", () => void attempt(client.call("clear", { board })));
addEventListener("keydown", (event) => {
  if (event.key === "z" && (event.ctrlKey || event.metaKey)) undo();
});

// --- the connection ---------------------------------------------------------------------------------------------------------

function showStatus(state: string): void {
  byId("status").dataset["state"] = state;
  byId("status").textContent = state;
}
socket.on("connect", () => showStatus("connected"));
socket.on("disconnect", () => showStatus("disconnected"));
