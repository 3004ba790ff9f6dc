/** Where something went wrong that is no event of a client's. */
export interface ErrorPlace {
  /** What it was done for: the name of an event that is pushed, for instance. */
  readonly event: string;
  /** The handler that did it. */
  readonly handler: string;
  /** What of it failed. */
  readonly method: string;
  readonly namespace: string;
}

/** How a handler of the package's own tells the error subscribers of what fails outside of events. It never throws. */
export const tellError: unique symbol = Symbol("socket-ingress.tellError");
