import { isKept, ownPrefix } from "../../wire/event-names.js";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { EventError } from "../../wire/event-error.js";
import { REQUEST_ID_MAX } from "./protocol.js";

const requestIdSchema = text(REQUEST_ID_MAX);

/**
 * Reads the arguments of a call: they end in those of the wrapped event, however many there are.
 *
 * @throws EventError `INVALID_INPUT` or, for an event nobody can call, `UNKNOWN_EVENT`
 */
export function readCall(requestId: unknown, event: unknown): { requestId: string; event: string } {
  const checked = requestIdSchema["~standard"].validate(requestId);
  if (!(checked instanceof Promise) && checked.issues !== undefined) {
    const issues = checked.issues.map(({ message }) => ({ path: [0], message }));
    throw new EventError("INVALID_INPUT", "the request id does not fit", { details: { issues } });
  }
  if (typeof event !== "string" || event === "") {
    const issues = [{ path: [1], message: "expected the name of an event" }];
    throw new EventError("INVALID_INPUT", "the event does not fit", { details: { issues } });
  }
  if (isKept(event) || event.startsWith(ownPrefix))
    throw new EventError("UNKNOWN_EVENT", "nobody listens to this event");
  return { requestId: requestId as string, event };
}

function text(maxLength: number): StandardSchemaV1<string> {
  return {
    "~standard": {
      version: 1,
      vendor: "socket-ingress",
      validate: (value) => {
        if (typeof value !== "string" || value === "") return { issues: [{ message: "expected a non-empty string" }] };
        if (value.length > maxLength) return { issues: [{ message: `expected at most ${maxLength} characters` }] };
        return { value };
      },
    },
  };
}
