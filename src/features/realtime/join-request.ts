import type { StandardSchemaV1 } from "@standard-schema/spec";
import { EPOCH_MAX } from "../../wire/positions.js";
import type { PresenceVersion } from "./protocol.js";

/**
 * What a join says about positions: nothing or `null`, it reads none; `true`, it reads them and is new; a position, it has what came
 * until then.
 */
export type At = null | true | readonly [epoch: string, n: number] | undefined;

/** One topic that a client asks for, and what it says with it. */
export interface Ask {
  readonly topic: string;
  readonly input: unknown;
  /** Which version of the topic's presence it knows. */
  readonly presence: PresenceVersion | undefined;
  /** All of it as JSON, to see whether two ask the same. */
  readonly said: string;
}

/** What a client asks for with one join. */
export interface JoinRequest {
  readonly asks: readonly Ask[];
  /** Whether the answer is that of the one topic, or a list of answers. */
  readonly form: "one" | "list";
}

/** The longest input that a join may carry, as JSON: it is kept while the socket is in, for when the policy is asked again. */
const INPUT_MAX = 10_000;

// What clients send is hostile; the schemas are written by hand as Standard Schemas, so that nothing is depended on for them.

/** The topics of a join: a name, `{ topic, input, presence }`, or a list of these. */
export function joinRequest(topicMaxLength: number, topicsMax: number): StandardSchemaV1<JoinRequest> {
  return schema((value) => {
    if (!Array.isArray(value)) return { asks: [readAsk(value, topicMaxLength)], form: "one" };
    if (value.length === 0 || value.length > topicsMax) throw new Misfit(`expected 1 to ${topicsMax} topics`);
    return { asks: value.map((each) => readAsk(each, topicMaxLength)), form: "list" };
  });
}

/** What a join says about positions. */
export const joinPosition: StandardSchemaV1<At> = /* @__PURE__ */ schema((value) =>
  value === undefined || value === null || value === true ? value : readPosition(value),
);

/** A topic as a client may name it. */
export function topicName(maxLength: number): StandardSchemaV1<string> {
  return schema((value) => readName(value, maxLength));
}

class Misfit extends Error {}

function readAsk(value: unknown, maxLength: number): Ask {
  if (typeof value !== "object" || value === null)
    return { topic: readName(value, maxLength), input: undefined, presence: undefined, said: " " };
  const { topic, input, presence } = value as { topic?: unknown; input?: unknown; presence?: unknown };
  const known = presence === undefined || presence === null ? undefined : readPosition(presence);
  const said = `${known?.join() ?? ""} ${input === undefined ? "" : asJson(input)}`;
  return { topic: readName(topic, maxLength), input, presence: known, said };
}

function readPosition(value: unknown): readonly [epoch: string, n: number] {
  const [epoch, n] = Array.isArray(value) && value.length === 2 ? (value as unknown[]) : [];
  if (typeof epoch !== "string" || epoch.length > EPOCH_MAX || !Number.isSafeInteger(n) || (n as number) < 0)
    throw new Misfit("expected true, or a position such as [epoch, n]");
  return [epoch, n as number];
}

function asJson(input: unknown): string {
  let json: string;
  try {
    // In a list, as there are values that JSON leaves out.
    json = JSON.stringify([input]);
  } catch {
    throw new Misfit("expected an input that JSON can hold");
  }
  if (json.length - "[]".length > INPUT_MAX) throw new Misfit(`expected an input of at most ${INPUT_MAX} characters`);
  return json;
}

function readName(value: unknown, maxLength: number): string {
  if (typeof value !== "string" || value === "") throw new Misfit("expected a non-empty string");
  if (value.length > maxLength) throw new Misfit(`expected at most ${maxLength} characters`);
  // No database keeps these, and two names that differ in them alone would be one there.
  if (/\0|\p{Surrogate}/u.test(value)) throw new Misfit("expected no U+0000 and no half of a surrogate pair");
  return value;
}

function schema<T>(read: (value: unknown) => T): StandardSchemaV1<T> {
  return {
    "~standard": {
      version: 1,
      vendor: "socket-ingress",
      validate: (value) => {
        try {
          return { value: read(value) };
        } catch (error) {
          return { issues: [{ message: (error as Misfit).message }] }; // nothing else is thrown
        }
      },
    },
  };
}
