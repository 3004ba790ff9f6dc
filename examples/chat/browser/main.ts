import { io, type Socket } from "socket.io-client";
import type { ClientToServer, Message, ServerToClient } from "../app.js";
import { showAttacks } from "./bad-actor.js";
import { byId, element } from "./dom.js";

/** What the server replies when it can't do what was asked. */
interface Failure {
  error: { code: string; message: string };
}

const socket: Socket<ServerToClient, ClientToServer> = io();
let me = "";

const failureOf = (reply: unknown): Failure["error"] | undefined => (reply as Failure | null | undefined)?.error;

function showStatus(state: string): void {
  byId("status").textContent = byId("status").dataset["state"] = state;
}

function showMessage({ from, text, at }: Message): void {
  const time = new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const by = element("div", "by", element("b", "", from), time);
  const item = element("li", from === me ? "mine" : "", by, element("div", "text", text));
  byId("messages").append(item);
  item.scrollIntoView({ block: "end" });
}

/** One line for each sort of answer: a flood adds to the count of its line. */
function showReply(label: string, reply: unknown, ms: number): void {
  const failure = failureOf(reply);
  const code = failure?.code ?? "OK";
  const log = byId("log");
  const last = [...log.children].slice(0, 6).find((line) => line instanceof HTMLElement && line.dataset["key"] === label + code);
  if (last instanceof HTMLElement) {
    const times = Number(last.dataset["times"]) + 1;
    last.dataset["times"] = String(times);
    last.querySelector("code")!.textContent = `${code} ×${times}`;
    return;
  }
  const detail = `${failure?.message ?? JSON.stringify(reply)} · ${Math.round(ms)} ms`;
  const line = element("li", failure ? "failed" : "", label, element("code", "", code), element("span", "", detail));
  line.dataset["key"] = label + code;
  line.dataset["times"] = "1";
  log.prepend(line);
  while (log.children.length > 30) log.lastChild?.remove();
}

/** Sends whatever it is given, as a client that knows no types would. */
async function send(label: string, event: string, ...args: unknown[]): Promise<unknown> {
  const started = performance.now();
  const reply: unknown = await (socket as unknown as Socket).emitWithAck(event, ...args);
  showReply(label, reply, performance.now() - started);
  return reply;
}

socket.on("connect", async () => {
  showStatus("connected");
  if (me !== "") await socket.emitWithAck("sign_in", { name: me });
});
socket.on("disconnect", () => showStatus("disconnected"));
socket.on("message", showMessage);

byId("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const reply = await send("Sign in", "sign_in", { name: byId<HTMLInputElement>("name").value });
  const failure = failureOf(reply);
  byId("notice").textContent = failure?.message ?? "";
  if (failure) return;
  const { name, history } = reply as { name: string; history: Message[] };
  me = name;
  byId("messages").replaceChildren();
  for (const message of history) showMessage(message);
  byId("sign-in").hidden = true;
  byId("composer").hidden = false;
  byId("text").focus();
});

byId("composer").addEventListener("submit", async (event) => {
  event.preventDefault();
  const input = byId<HTMLInputElement>("text");
  const failure = failureOf(await send("Message", "message", { text: input.value }));
  byId("notice").textContent = failure ? `${failure.code}: ${failure.message}` : "";
  if (!failure) input.value = "";
});

showAttacks(send);
