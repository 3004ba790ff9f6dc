/** The element with this id; the page has it. */
export function byId<T extends Element = HTMLElement>(id: string): T {
  return document.getElementById(id) as unknown as T;
}

/** An element with a class and text or children, never with markup from the wire. */
export function element(tag: string, className: string, ...children: (string | Node)[]): HTMLElement {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...children);
  return made;
}

/** Runs `fn` instead of sending a form. */
export function onSubmit(id: string, fn: () => unknown): void {
  byId(id).addEventListener("submit", (event) => {
    event.preventDefault();
    fn();
  });
}

/**
 * Makes a list show these items, in this order. An item that is shown already, by its key, stays the element it was: the
 * keyboard's focus stays in it, and a screen reader is told of what is new, not of everything.
 */
export function showItems<T>(
  list: HTMLElement,
  items: readonly T[],
  key: (item: T) => string,
  make: (item: T) => HTMLElement,
): void {
  const shown = new Map([...list.children].map((each) => [(each as HTMLElement).dataset["key"], each]));
  const wanted = items.map((item) => {
    const made = shown.get(key(item)) ?? make(item);
    (made as HTMLElement).dataset["key"] = key(item);
    return made;
  });
  const focused = list.contains(document.activeElement) ? document.activeElement : null;
  for (const each of [...list.children]) if (!wanted.includes(each)) each.remove();
  for (const [at, each] of wanted.entries()) {
    if (list.children[at] !== each) list.insertBefore(each, list.children[at] ?? null);
  }
  // Whoever pressed a button that is gone goes on from here, not from the top of the page.
  if (focused?.isConnected === false) (list.querySelector("button") ?? list).focus();
}
