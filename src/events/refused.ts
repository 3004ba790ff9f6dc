import type { EventError } from "../wire/event-error.js";
import type { Failure } from "../wire/failure.js";
import { toFailure } from "../wire/to-failure.js";

/**
 * A refusal that was made once for many events: what a door of this package returns from `beforeEvent` where it would throw the same error
 * again and again. To throw, and to make a failure of what was thrown, takes a flood longer than all else about refusing it (decision 0066).
 */
export class Refused {
  readonly error: EventError;
  readonly failure: Failure;

  constructor(error: EventError) {
    this.error = error;
    this.failure = toFailure(error);
  }
}
