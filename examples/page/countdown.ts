import { byId } from "./dom.js";

let until = -Infinity;
let timer: ReturnType<typeof setInterval> | undefined;

/** Counts down in `#pause` to when the server takes something again, as a refusal says with `retryAfterMs`; the longest one counts. */
export function countDown(retryAfterMs: number): void {
  until = Math.max(until, performance.now() + retryAfterMs);
  timer ??= setInterval(show, 250);
  show();
}

function show(): void {
  const left = Math.ceil((until - performance.now()) / 1_000);
  byId("pause").textContent = left > 0 ? `too fast: go on in ${left} s` : "";
  if (left > 0) return;
  clearInterval(timer);
  timer = undefined;
}
