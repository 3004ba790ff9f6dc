import type { Painter } from "../app.js";
import { HEIGHT, WIDTH } from "../board-size.js";
import { element } from "../../page/dom.js";

/** Cursors over the canvas: those of the others, and one's own while the keyboard moves it. */
export class Cursors {
  private readonly layer: HTMLElement;
  private readonly marks = new Map<string, HTMLElement>();
  private painters: ReadonlyMap<string, Painter> = new Map();

  constructor(layer: HTMLElement) {
    this.layer = layer;
  }

  /** Who is there: the cursors of whoever is not go. */
  keep(painters: ReadonlyMap<string, Painter>): void {
    this.painters = painters;
    for (const id of this.marks.keys()) if (!painters.has(id)) this.hide(id);
  }

  move({ by, x, y }: { by: string; x: number; y: number }): void {
    const painter = this.painters.get(by);
    if (painter === undefined) return;
    const mark = this.marks.get(by) ?? this.make(painter);
    mark.style.left = `${(x / WIDTH) * 100}%`;
    mark.style.top = `${(y / HEIGHT) * 100}%`;
    // The name is on the side, and above or below, where there is room for it.
    mark.classList.toggle("left", x > WIDTH * 0.7);
    mark.classList.toggle("above", y > HEIGHT * 0.9);
  }

  hide(id: string): void {
    this.marks.get(id)?.remove();
    this.marks.delete(id);
  }

  private make({ id, name, hue }: Painter): HTMLElement {
    const mark = element("div", "cursor", element("span", "hued", name));
    mark.style.setProperty("--hue", String(hue));
    this.layer.append(mark);
    this.marks.set(id, mark);
    return mark;
  }
}
