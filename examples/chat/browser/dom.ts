/** The element with this id; the page has it. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

/** An element with a class and text or children, never with markup from the wire. */
export function element(tag: string, className: string, ...children: (string | Node)[]): HTMLElement {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...children);
  return made;
}

/** An initial in a colour of its own for each name. */
export function avatar(name: string): HTMLElement {
  const made = element("span", "avatar", name.slice(0, 1).toUpperCase());
  let hue = 7;
  for (let i = 0; i < name.length; i++) hue = (hue * 31 + name.charCodeAt(i)) % 360;
  made.style.setProperty("--hue", String(hue));
  made.ariaHidden = "true";
  return made;
}

/** Runs `fn` instead of sending a form. */
export function onSubmit(id: string, fn: () => Promise<void>): void {
  byId(id).addEventListener("submit", (event) => {
    event.preventDefault();
    void fn();
  });
}
