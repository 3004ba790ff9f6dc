import type { Socket } from "socket.io-client";
import { createClient, EventFailure, type Member } from "socket-ingress/client";
import type { App, ClientToServer, Painter, Point, ServerToClient, Stroke } from "../app.js";
import { HEIGHT, WIDTH } from "../board-size.js";
import { connect, showConnection } from "../../page/connection.js";
import { byId, element, showItems } from "../../page/dom.js";
import { failureText } from "../../page/failure-text.js";
import { Canvas } from "./canvas.js";
import { Cursors } from "./cursors.js";
import { Pan } from "./pan.js";
import { Pen, type Piece } from "./pen.js";

const socket: Socket<ServerToClient, ClientToServer> = connect({
  auth: (give) => give({ token: sessionStorage.getItem("token") }),
});
const client = createClient<App>(socket);
const canvas = new Canvas(byId<HTMLCanvasElement>("canvas"));
const cursors = new Cursors(byId("cursors"));
const pan = new Pan(byId("view"), byId<HTMLInputElement>("pan"));
showConnection(socket);

let me: Painter | undefined;
let board = "";
let joined = false;
let leaveBoard = (): void => {};

async function attempt<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    const value = await call;
    byId("notice").textContent = "";
    return value;
  } catch (error) {
    if (!(error instanceof EventFailure)) throw error;
    byId("notice").textContent = failureText(error);
    return undefined;
  }
}

// --- the board: a topic, whose snapshot is the drawing so far ---------------------------------------------------------------

function showPainters(members: readonly Member[]): void {
  const painters = members.map(({ info }) => info as Painter);
  cursors.keep(new Map(painters.map((painter) => [painter.id, painter])));
  showItems(
    byId("painters"),
    painters,
    ({ id }) => `${id} ${me?.id}`,
    ({ id, name, hue }) => {
      const item = element("li", "hued", id === me?.id ? `${name} (you)` : name);
      item.style.setProperty("--hue", String(hue));
      return item;
    },
  );
}

function open(name: string): void {
  leaveBoard();
  board = name;
  setJoined(false);
  byId("board").textContent = `#${name}`;
  const topic = `board:${name}`;
  const join = client.joinTopic(topic, {
    onJoined({ snapshot: strokes }) {
      // Again after each reconnect: what was missed is in the snapshot, and what did not arrive is not.
      canvas.reset(strokes as Stroke[]);
      setJoined(true);
    },
  });
  const offPresence = client.onPresence(topic, showPainters);
  leaveBoard = () => {
    join.leave();
    offPresence();
    canvas.reset([]);
  };
  void attempt(join);
}

/** Nobody draws what would not arrive. */
function setJoined(now: boolean): void {
  joined = now;
  pen.drop();
  byId("paper").classList.toggle("closed", !now);
}

client.on("drawn", (part) => part.board === board && canvas.add(part));
client.on("cursor", (place) => place.board === board && cursors.move(place));
client.on("erased", ({ board: where, ids }) => {
  if (where !== board) return;
  canvas.erase(ids);
  if (ids.includes(`${me?.id}/${pen.drawing}`)) pen.drop();
});

function openFromHash(): void {
  const name = location.hash.slice(1).toLowerCase();
  open(/^[a-z0-9-]{1,32}$/.test(name) ? name : "lobby");
}
addEventListener("hashchange", openFromHash);
byId("new-board").addEventListener("click", () => {
  location.hash = Math.random().toString(36).slice(2, 8);
});

async function learnMyName(): Promise<void> {
  const answer = await attempt(client.call("whoami"));
  if (answer === undefined) return; // the connection went; the next one asks again
  me = answer.me;
  sessionStorage.setItem("token", answer.token);
  if (board === "") openFromHash();
  else showPainters(client.presence(`board:${board}`));
}
client.onReady(learnMyName);
client.onReconnect(learnMyName);
socket.on("disconnect", () => setJoined(false));

// --- drawing: with a pointer, or with the keyboard --------------------------------------------------------------------------

const pen = new Pen(
  ({ stroke, ...piece }) => canvas.add({ id: `${me?.id}/${stroke}`, by: me?.id ?? "", ...piece }),
  (piece) => void send(piece),
);

async function send(piece: Piece): Promise<void> {
  const where = board;
  const drawn = await attempt(client.call("draw", { board, ...piece }));
  if (drawn === undefined && socket.connected && where === board) open(board); // as the server has it
}

const choice = (name: string): number =>
  Number(document.querySelector<HTMLInputElement>(`input[name="${name}"]:checked`)?.value);

let pointer: Point | undefined;

/** Tells the others where the pointer is, once a frame. */
function tellPlace(place: Point): void {
  if (pointer === undefined) {
    requestAnimationFrame(() => {
      const [x, y] = pointer ?? place;
      pointer = undefined;
      if (joined) socket.emit("cursor", { board, x, y });
    });
  }
  pointer = place;
}

canvas.element.addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  canvas.element.setPointerCapture(event.pointerId);
  if (pan.down(event)) takeBack();
  else if (joined) pen.down(choice("color"), choice("width"), canvas.place(event));
});
canvas.element.addEventListener("pointermove", (event) => {
  pan.move(event);
  const passed = event.getCoalescedEvents().map((each) => canvas.place(each));
  pen.move(passed.length > 0 ? passed : [canvas.place(event)]);
  tellPlace(canvas.place(event));
});
for (const end of ["pointerup", "pointercancel"] as const) {
  canvas.element.addEventListener(end, (event) => {
    pan.up(event);
    pen.up();
  });
}

/** What the first of two fingers drew was not meant. */
function takeBack(): void {
  if (pen.drawing === undefined) return;
  canvas.erase([`${me?.id}/${pen.drawing}`]);
  if (pen.drop()) undo();
}

const STEP = 20;
const steps = new Map<string, Point>([
  ["ArrowLeft", [-STEP, 0]],
  ["ArrowRight", [STEP, 0]],
  ["ArrowUp", [0, -STEP]],
  ["ArrowDown", [0, STEP]],
]);
let keyboardPen: Point = [WIDTH / 2, HEIGHT / 2];

canvas.element.addEventListener("keydown", (event) => {
  const step = steps.get(event.key);
  if ((step === undefined && event.key !== " ") || me === undefined || !joined) return;
  event.preventDefault();
  const [x, y] = keyboardPen;
  const [right, down] = step ?? [0, 0];
  keyboardPen = [Math.min(Math.max(x + right, 0), WIDTH), Math.min(Math.max(y + down, 0), HEIGHT)];
  if (step !== undefined) pen.move([keyboardPen]);
  else if (pen.drawing === undefined) pen.down(choice("color"), choice("width"), keyboardPen);
  else pen.up();
  cursors.move({ by: me.id, x: keyboardPen[0], y: keyboardPen[1] });
  tellPlace(keyboardPen);
});
canvas.element.addEventListener("blur", () => {
  pen.up();
  if (me !== undefined) cursors.hide(me.id);
});

const undo = (): void => void attempt(client.call("undo", { board }));
byId("undo").addEventListener("click", undo);
byId("clear").addEventListener("click", () => void attempt(client.call("clear", { board })));
addEventListener("keydown", (event) => {
  if (event.key === "z" && (event.ctrlKey || event.metaKey)) undo();
});
