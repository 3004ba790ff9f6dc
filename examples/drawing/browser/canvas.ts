import type { Point, Stroke } from "../app.js";
import { HEIGHT, WIDTH } from "../board-size.js";

/** Keeps the strokes of a board and paints them, in whatever size the canvas has. */
export class Canvas {
  readonly element: HTMLCanvasElement;
  private readonly strokes = new Map<string, Stroke>();
  private frame = 0;

  constructor(element: HTMLCanvasElement) {
    this.element = element;
    new ResizeObserver(() => this.changed()).observe(element);
  }

  /** Everything anew, as a snapshot has it. */
  reset(strokes: readonly Stroke[]): void {
    this.strokes.clear();
    for (const stroke of strokes) this.strokes.set(stroke.id, stroke);
    this.changed();
  }

  /** Points of a stroke; the same points again change nothing. */
  add({ id, by, color, width, points, at }: Stroke & { at: number }): void {
    const stroke = this.strokes.get(id) ?? { id, by, color, width, points: [] };
    this.strokes.set(id, stroke);
    stroke.points.splice(at, points.length, ...points);
    this.changed();
  }

  erase(ids: readonly string[]): void {
    for (const id of ids) this.strokes.delete(id);
    this.changed();
  }

  /** Where on the board a pointer is. */
  place({ clientX, clientY }: { clientX: number; clientY: number }): Point {
    const { left, top, width, height } = this.element.getBoundingClientRect();
    const within = (value: number, max: number): number => Math.round(Math.min(Math.max(value, 0), 1) * max);
    return [within((clientX - left) / width, WIDTH), within((clientY - top) / height, HEIGHT)];
  }

  /** Painted once a frame, however much changes. */
  private changed(): void {
    this.element.ariaLabel = `Drawing with ${this.strokes.size} strokes`;
    this.element.toggleAttribute("data-empty", this.strokes.size === 0);
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.paint();
    });
  }

  private paint(): void {
    const { element } = this;
    const context = element.getContext("2d");
    if (context === null) return;
    element.width = element.clientWidth * devicePixelRatio;
    element.height = element.clientHeight * devicePixelRatio;
    context.scale(element.width / WIDTH, element.height / HEIGHT);
    context.lineCap = context.lineJoin = "round";
    const style = getComputedStyle(element);
    for (const { color, width, points } of this.strokes.values()) {
      context.strokeStyle = style.getPropertyValue(`--color-${color}`);
      context.lineWidth = width;
      context.stroke(curve(points));
    }
  }
}

/** Through the middles between the points, which bends where the points make corners. */
function curve(points: readonly Point[]): Path2D {
  const path = new Path2D();
  const [first, ...rest] = points;
  if (first === undefined) return path;
  path.moveTo(...first);
  let [x, y] = first;
  for (const [nextX, nextY] of rest) {
    path.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
    [x, y] = [nextX, nextY];
  }
  path.lineTo(x, y); // of one point, a dot
  return path;
}
