import {
  type Ended,
  ENDED,
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
import { areAll, isNumber, isText, isVersion, type Look } from "../wire/shapes.js";

// A listener that throws ends a program in Node, so what comes from the wire is looked at before anybody reads it: the server may
// be another version, or none of ours.

/** What the server sends under names of ours. */
export interface Frames {
  [ENDED]: Ended;
  [EVICTED]: Evicted;
  [NOTIFY]: Notice;
  [PRESENCE]: PresenceChange;
  [REFETCH]: Refetch;
}

/** Whether this is an object that is no list. */
export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const perhaps =
  (look: Look): Look =>
  (value) =>
    value === undefined || look(value);

const isEntry: Look = (value) => isText(value) || (isRecord(value) && isText(value["user"]));

/** The members that somebody here relies on; `data` and `payload` are the application's, and go on unseen. */
const shapes: { readonly [Name in keyof Frames]: { readonly [Key in keyof Frames[Name]]?: Look } } = {
  [ENDED]: { code: isText, message: isText },
  [EVICTED]: { topic: isText, code: isText, message: isText, at: perhaps(isVersion) },
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
