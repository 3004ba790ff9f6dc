import type { StandardSchemaV1 } from "@standard-schema/spec";

// What clients send to the door is a string. Written by hand as Standard Schemas, so that nothing is depended on for them.

/** A topic as a client may name it. */
export function topicName(maxLength: number): StandardSchemaV1<string> {
  return text(maxLength);
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
