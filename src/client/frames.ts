import {
  type Evicted,
  EVICTED,
  NOTIFY,
  type Notice,
  PRESENCE,
  type PresenceChange,
  type PresenceNews,
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

const areAll =
  (look: Look): Look =>
  (value) =>
    Array.isArray(value) && value.every(look);

const isEntry: Look = (value) => isText(value) || (isRecord(value) && isText(value["user"]));

const isNumber: Look = (value) => typeof value === "number";

const isVersion: Look = (value) => Array.isArray(value) && isText(value[0]) && isNumber(value[1]);

/** The members that somebody here relies on; `data` and `payload` are the application's, and go on unseen. */
const shapes: { readonly [Name in keyof Frames]: { readonly [Key in keyof Frames[Name]]?: Look } } = {
  [EVICTED]: { topic: isText, code: isText, message: isText },
  [NOTIFY]: { event: perhaps(isText) },
  [PRESENCE]: {
    topic: isText,
    version: isVersion,
    state: perhaps(areAll(isEntry)),
    count: perhaps(isNumber),
    joined: perhaps(areAll(isEntry)),
    left: perhaps(areAll(isText)),
  },
  [REFETCH]: { action: isText, event: perhaps(isText) },
};

/** Whether what came under this name has the shape that PROTOCOL.md gives it. */
export function isFrame<Name extends keyof Frames>(name: Name, frame: unknown): frame is Frames[Name] {
  return isRecord(frame) && Object.entries<Look>(shapes[name]).every(([key, look]) => look(frame[key]));
}

/** Whether a join can have been answered with this about who is there. */
export const isNews = (value: unknown): value is PresenceNews =>
  isRecord(value) && isFrame(PRESENCE, { ...value, topic: "" });
