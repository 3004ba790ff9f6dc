import {
  type Evicted,
  EVICTED,
  type Member,
  NOTIFY,
  type Notice,
  PRESENCE,
  type PresenceChange,
  REFETCH,
  type Refetch,
} from "../features/realtime/protocol.js";

// A listener that throws ends a program in Node, so what comes from the wire is looked at before anybody reads it: the server may
// be another version, or none of ours.

/** What the server sends under names of ours. */
export interface Frames {
  [EVICTED]: Evicted;
  [NOTIFY]: Notice;
  [PRESENCE]: PresenceChange;
  [REFETCH]: Refetch;
}

type Look = (value: unknown) => boolean;

const isText: Look = (value) => typeof value === "string";

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const perhaps =
  (look: Look): Look =>
  (value) =>
    value === undefined || look(value);

/** Whether this can be who is present at a topic. */
export const areMembers = (value: unknown): value is Member[] =>
  Array.isArray(value) && value.every((member) => isRecord(member) && isText(member["user"]));

/** The members that somebody here relies on; `data` and `payload` are the application's, and go on unseen. */
const shapes: { readonly [Name in keyof Frames]: { readonly [Key in keyof Frames[Name]]?: Look } } = {
  [EVICTED]: { topic: isText, code: isText, message: isText },
  [NOTIFY]: { event: perhaps(isText) },
  [PRESENCE]: {
    topic: isText,
    state: perhaps(areMembers),
    joined: perhaps(areMembers),
    left: perhaps(areMembers),
  },
  [REFETCH]: { action: isText, event: perhaps(isText) },
};

/** Whether what came under this name has the shape that PROTOCOL.md gives it. */
export function isFrame<Name extends keyof Frames>(name: Name, frame: unknown): frame is Frames[Name] {
  return isRecord(frame) && Object.entries<Look>(shapes[name]).every(([key, look]) => look(frame[key]));
}
