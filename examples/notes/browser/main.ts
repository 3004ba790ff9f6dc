import { createClient } from "socket-ingress/client";
import { type DocumentSnapshot, openDocument } from "socket-ingress/collab/client";
import { connect, showConnection } from "../../page/connection.js";
import { byId, element, showItems } from "../../page/dom.js";
import { failureText } from "../../page/failure-text.js";
import type { App } from "../app.js";
import { codeMirror, type Mount, textarea } from "./editors.js";
import { addressOf, type KnownNote, knownNotes, remember } from "./known-notes.js";

const asked = new URLSearchParams(location.search);
const id = asked.get("note") ?? "";
const key = asked.get("key") ?? "";

const socket = connect({
  auth: (give) => give({ token: sessionStorage.getItem("token"), key }),
  reconnectionDelayMax: 1_000,
});
const client = createClient<App>(socket);
showConnection(socket);
client.onReady(async () => {
  const { token } = await client.call("whoami");
  sessionStorage.setItem("token", token);
  if (id === "") location.replace(addressOf(knownNotes()[0] ?? (await client.call("create"))));
  else open();
});
byId("new").addEventListener("click", () => {
  void client.call("create").then((address) => location.assign(addressOf(address)));
});

function open(): void {
  const notice = byId("notice");
  const note = openDocument(client, `note:${id}`, {
    onLost: (failure) => (notice.textContent = failureText(failure)),
    onRefused: (failure) => (notice.textContent = failureText(failure)),
  });
  const text = note.doc.getText("t");
  let unmount: (() => void) | undefined;
  let mounted: string | undefined;

  /** The editor that was chosen, which is made anew when one may write, or may no longer. */
  function mount({ mode, status }: DocumentSnapshot): void {
    const plain = byId<HTMLInputElement>("plain").checked;
    const wanted = `${plain} ${mode}`;
    if (status === "loading" || wanted === mounted) return;
    mounted = wanted;
    unmount?.();
    const editor: Mount = plain ? textarea : codeMirror;
    unmount = editor(byId("editor"), note);
  }

  function show(snapshot: DocumentSnapshot): void {
    const { mode, saving, status, users } = snapshot;
    const read = mode === "read";
    byId("read-only").hidden = !read;
    byId("saving").textContent =
      status === "loading" || read ? "" : { saved: "Saved", saving: "Saving…", failed: "Not saved yet" }[saving];
    showItems(
      byId("users"),
      users,
      (user) => `${user.id} ${user.color}`,
      (user) => {
        const chip = element("li", "user", user.name);
        chip.style.setProperty("--color", user.color);
        return chip;
      },
    );
    mount(snapshot);
  }

  function showNotes(): void {
    const [first = ""] = text.toJSON().split("\n");
    remember({ id, key, title: first.trim().slice(0, 60) || "New note" });
    // The first line may have changed: such a note is another item.
    showItems(byId("notes"), knownNotes(), (one) => JSON.stringify(one), noteLink);
  }

  note.subscribe(show);
  for (const choice of ["rich", "plain"]) byId(choice).addEventListener("change", () => mount(note.getSnapshot()));
  text.observe(showNotes);
  void note.ready.then(showNotes);
  byId<HTMLAnchorElement>("reading").href = addressOf({ id, key: "" });
  byId("undo").addEventListener("click", () => note.undo());
  addEventListener("beforeunload", (event) => {
    if (note.mode === "write" && note.saving !== "saved") event.preventDefault();
  });
}

function noteLink(known: KnownNote): HTMLElement {
  const link = element("a", "note", known.title) as HTMLAnchorElement;
  link.href = addressOf(known);
  if (known.id === id) link.setAttribute("aria-current", "page");
  return element("li", "", link);
}
