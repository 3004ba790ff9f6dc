import type { Inbox, InboxItem, InboxSnapshot } from "socket-ingress/notifications/client";

const style = `.bell { position: relative; padding: .3em .6em; font-size: 1.1rem }
.bell svg { width: 1em; height: 1em; vertical-align: -.1em; fill: currentColor }
.bell-badge { position: absolute; inset: -.7em -.7em auto auto; min-width: 1.7em; padding: 0 .4em; border-radius: 1em;
  background: light-dark(#b3212d, #ff9296); color: light-dark(#fff, #2b0709); font: 600 .7em/1.7 system-ui, sans-serif }
.bell-panel { inset: 4rem 1rem auto auto; width: min(24rem, 100vw - 2rem); max-height: 70vh; margin: 0; overflow: auto; padding: .5rem;
  text-align: start; border: 1px solid #8888; border-radius: .7rem; background: light-dark(#fff, #171a21); color: light-dark(#191c24, #e9ebf1) }
.bell-panel p { margin: 0 } .bell-panel ul { margin: 0; padding: 0; list-style: none } .bell-panel [hidden] { display: none }
.bell-panel li { padding: .5rem; overflow-wrap: anywhere; white-space: pre-line } .bell-panel img { width: 1.2em; height: 1.2em }
.bell-panel li.new { border-inline-start: 3px solid light-dark(#3b48c9, #a9b4ff) }`;

/**
 * A bell with the number of unread notifications, and a panel that lists them: copy it, and make it yours. Opening the panel marks what it
 * shows as read, and what comes while it is open. Every word of a notification is shown as text, never as markup.
 *
 * @param isPicture - which icons are addresses of pictures that this page may load; all others are shown as text
 * @returns takes it away again; the inbox stays open
 */
export function showBell(host: HTMLElement, inbox: Inbox, isPicture = (_icon: string): boolean => false): () => void {
  const make = <Tag extends keyof HTMLElementTagNameMap>(tag: Tag, members: object, ...children: (Node | string)[]) => {
    const made = Object.assign(document.createElement(tag), members);
    made.append(...children);
    return made;
  };
  const badge = make("span", { className: "bell-badge", ariaHidden: "true" });
  // Drawn: not every machine has a font with a bell.
  const drawing = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  drawing.setAttribute("viewBox", "0 0 24 24");
  const outline = document.createElementNS("http://www.w3.org/2000/svg", "path");
  outline.setAttribute(
    "d",
    "M12 2a6.5 6.5 0 0 0-6.5 6.5V14L3 18h18l-2.5-4V8.5A6.5 6.5 0 0 0 12 2Zm-3 17.5a3 3 0 0 0 6 0Z",
  );
  drawing.append(outline);
  const bell = make("button", { type: "button", className: "bell", ariaHasPopup: "dialog" }, drawing, badge);
  const list = make("ul", {});
  const state = make("p", { role: "status" });
  const older = make(
    "button",
    { type: "button", onclick: () => inbox.loadMore().catch(() => undefined) },
    "Older ones",
  );
  const panel = make(
    "div",
    { popover: "auto", className: "bell-panel", role: "dialog", ariaLabel: "Notifications" },
    state,
    list,
    older,
  );
  bell.popoverTargetElement = panel;
  const rows = new Map<string, HTMLElement>();
  let isOpen = false;
  const opened = new Set<string>(); // what this opening of the panel has marked: new to whoever reads it, and not tried twice

  const icon = (text: string): Node | string => (isPicture(text) ? make("img", { src: text, alt: "" }) : text);
  const rowOf = ({ id, icon: sign, title, message, createdAt }: InboxItem): HTMLElement =>
    rows.get(id) ??
    make(
      "li",
      {},
      icon(sign),
      " ",
      make("strong", {}, title),
      `\n${message}\n`,
      make("small", {}, new Date(createdAt).toLocaleString()),
    );
  const show = ({ items, unread, more, status }: InboxSnapshot): void => {
    if (isOpen) {
      const shown = items.filter(({ id, readAt }) => readAt === null && !opened.has(id)).map(({ id }) => id);
      for (const id of shown) opened.add(id);
      if (shown.length > 0) inbox.markRead(shown).catch(() => undefined);
    }
    badge.textContent = unread > 99 ? "99+" : `${unread}`;
    badge.hidden = unread === 0;
    bell.ariaLabel = unread === 0 ? "Notifications" : `Notifications, ${unread} unread`;
    state.textContent = status === "live" ? (items.length === 0 ? "Nothing yet." : "") : `${status}…`;
    older.hidden = !more;
    const wanted = items.map((item) => [item, rowOf(item)] as const);
    rows.clear();
    for (const [at, [{ id, readAt }, row]] of wanted.entries()) {
      rows
        .set(id, row)
        .get(id)
        ?.classList.toggle("new", readAt === null || opened.has(id));
      if (list.children[at] !== row) list.insertBefore(row, list.children[at] ?? null);
    }
    while (list.children.length > wanted.length) list.lastChild?.remove();
  };
  // Before, as what is opened and closed at once is told of afterwards as closed alone.
  panel.addEventListener("beforetoggle", ({ newState }) => {
    isOpen = newState === "open";
    opened.clear();
    show(inbox.getSnapshot());
  });
  host.append(make("style", {}, style), bell, panel);
  const off = inbox.subscribe(show);
  return () => {
    off();
    for (const part of [bell, panel]) part.remove();
  };
}
