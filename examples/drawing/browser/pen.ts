import type { Part, Point } from "../app.js";

/** A piece of a stroke, of a board that the page knows. */
export type Piece = Omit<Part, "board">;

const STROKE_MAX = 3_000;
/** Of this page: strokes of the same painter on another page have other names. */
const page = Math.random().toString(36).slice(2);

/** Turns the way of a pen into strokes: shown at once, sent at most once a frame. */
export class Pen {
  private readonly show: (piece: Piece) => void;
  private readonly send: (piece: Piece) => void;
  private count = 0;
  private stroke: { name: string; color: number; width: number; sent: number } | undefined;
  private points: Point[] = [];
  private frame = 0;

  constructor(show: (piece: Piece) => void, send: (piece: Piece) => void) {
    this.show = show;
    this.send = send;
  }

  /** The name of the stroke that is being drawn. */
  get drawing(): string | undefined {
    return this.stroke?.name;
  }

  down(color: number, width: number, at: Point): void {
    this.up();
    this.stroke = { name: `${page}-${this.count++}`, color, width, sent: 0 };
    this.move([at]);
  }

  move(points: readonly Point[]): void {
    if (this.stroke === undefined) return;
    this.show(this.piece(this.stroke.sent + this.points.length, [...points]));
    this.points.push(...points);
    this.frame ||= requestAnimationFrame(() => this.flush());
  }

  up(): void {
    this.flush();
    this.stroke = undefined;
  }

  /** Ends the stroke and sends no more of it. Returns whether a part of it was sent. */
  drop(): boolean {
    const wasSent = (this.stroke?.sent ?? 0) > 0;
    this.stroke = undefined;
    this.points = [];
    return wasSent;
  }

  private flush(): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const { stroke, points } = this;
    if (stroke === undefined || points.length === 0) return;
    this.send(this.piece(stroke.sent, points));
    stroke.sent += points.length;
    this.points = [];
    const last = points.at(-1);
    if (stroke.sent > STROKE_MAX && last !== undefined) this.down(stroke.color, stroke.width, last);
  }

  private piece(at: number, points: Point[]): Piece {
    const { name = "", color = 0, width = 0 } = this.stroke ?? {};
    return { stroke: name, at, color, width, points };
  }
}
