const MIDDLE = 0.5;

/** Moves a view over a board that is wider than it: with the slider, or with two fingers, as one finger draws. */
export class Pan {
  private readonly view: HTMLElement;
  private readonly slider: HTMLInputElement;
  private readonly fingers = new Map<number, number>();

  constructor(view: HTMLElement, slider: HTMLInputElement) {
    this.view = view;
    this.slider = slider;
    slider.value = String(MIDDLE);
    slider.addEventListener("input", () => this.follow());
    view.addEventListener("scroll", () => (slider.value = String(view.scrollLeft / Math.max(this.room, 1))));
    new ResizeObserver(() => this.follow()).observe(view); // the same part, in another size
  }

  /** A finger more. Returns whether these are more than draw. */
  down({ pointerId, pointerType, clientX }: PointerEvent): boolean {
    if (pointerType === "touch") this.fingers.set(pointerId, clientX);
    return this.fingers.size > 1;
  }

  move({ pointerId, clientX }: PointerEvent): void {
    const before = this.fingers.get(pointerId);
    if (before === undefined) return;
    this.fingers.set(pointerId, clientX);
    if (this.fingers.size > 1) this.view.scrollLeft -= (clientX - before) / this.fingers.size;
  }

  up({ pointerId }: PointerEvent): void {
    this.fingers.delete(pointerId);
  }

  private get room(): number {
    return this.view.scrollWidth - this.view.clientWidth;
  }

  private follow(): void {
    this.view.scrollLeft = Number(this.slider.value) * this.room;
  }
}
