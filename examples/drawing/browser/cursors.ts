import type { Painter } from "../app.js";
import { HEIGHT, WIDTH } from "../board-size.js";

/** The cursors of the others, over the canvas. */
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
    for (const [id, mark] of this.marks) {
      if (painters.has(id)) continue;
      mark.remove();
      this.marks.delete(id);
    }
  }

  move({ by, x, y }: { by: string; x: number; y: number }): void {
    const painter = this.painters.get(by);
    if (painter === undefined) return;
    const mark = this.marks.get(by) ?? this.make(painter);
    mark.style.left = `${(x / WIDTH) * 100}%`;
    mark.style.top = `${(y / HEIGHT) * 100}%`;
  }

  private make({ id, name, hue }: Painter): HTMLElement {
    const mark = document.createElement("div");
    mark.className = "cursor";
    mark.style.setProperty("--hue", String(hue));
    const label = document.createElement("span");
    label.textContent = name;
    mark.append(label);
    this.layer.append(mark);
    this.marks.set(id, mark);
    return mark;
  }
}
