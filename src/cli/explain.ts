import type { SubscriptionDescription } from "../dispatch/subscriptions.js";
import type { RateDescription } from "../features/limits/rate-options.js";
import type { ManagerDescription } from "../manager/description.js";
import { forbiddenEvents, isKept } from "../wire/event-names.js";
import { belongings } from "./check.js";
import { count, duration, inputOf, listOf, nameOf, placeIn } from "./words.js";

/** One step on the way of an event, in sentences. */
export interface Step {
  readonly title: string;
  readonly sentences: readonly string[];
}

/** What becomes of an event in one namespace. */
export interface Explanation {
  readonly event: string;
  readonly namespace: string;
  readonly subscribers: readonly SubscriptionDescription[];
  readonly steps: readonly Step[];
}

/** What becomes of an event from the socket to the reply, for each namespace in which somebody subscribes to it; none if nobody does. */
export function explain(description: ManagerDescription, event: string, cwd: string): Explanation[] {
  const rows = [...description.events, ...description.builtIn].filter((row) => row.event === event);
  return [...new Set(rows.map(({ namespace }) => namespace))].map((namespace) => {
    const subscribers = rows.filter((row) => row.namespace === namespace).sort((a, b) => a.order - b.order);
    const steps = isKept(event)
      ? [told(description, event), ...subscribers.map((row) => run(row, cwd)), ...verdict(description, event)]
      : [
          arrives(description, event, namespace),
          asked(description, event),
          ...subscribers.map((row) => run(row, cwd)),
          replied(description, subscribers),
          failed(),
        ];
    return { event, namespace, subscribers, steps };
  });
}

/** What becomes of an event to which nobody subscribes. */
export function explainUnknown(description: ManagerDescription, event: string): Explanation {
  if (isKept(event)) return { event, namespace: "", subscribers: [], steps: keptUnheard(description, event) };
  const { unknownEvents } = description.settings;
  const answer =
    unknownEvents === "leave"
      ? "It is left alone, as the option unknownEvents says: without a listener of yours its caller waits for ever."
      : 'Its caller is answered { error: { code: "UNKNOWN_EVENT", ... } }, unless a listener of yours (socket.on, onAny) answers.';
  const steps = [
    arrives(description, event, "any namespace"),
    asked(description, event),
    { title: "nobody subscribes to it", sentences: [answer] },
  ];
  return { event, namespace: "", subscribers: [], steps };
}

/** The events whose names are like this one, the likest first. */
export function similar({ events }: ManagerDescription, event: string): string[] {
  const names = [...new Set(events.map((row) => row.event))];
  const far = (name: string): number => distance(name.toLowerCase(), event.toLowerCase());
  const isNear = (name: string): boolean =>
    name.includes(event) || event.includes(name) || far(name) <= Math.max(1, Math.floor(event.length / 3));
  return names.filter(isNear).sort((a, b) => far(a) - far(b));
}

function arrives({ settings }: ManagerDescription, event: string, namespace: string): Step {
  return {
    title: `a socket of ${namespace} sends "${event}"`,
    sentences: [
      "Middleware of socket.use has it first, and may keep it.",
      `${count(settings.maxInFlight)} events of a connection run at once and ${count(settings.maxPending)} more wait, in order; what comes on top is answered OVERLOADED. During a shutdown it is answered SHUTTING_DOWN. While the connection subscribers of its socket run it waits.`,
    ],
  };
}

function asked({ beforeEvents, features }: ManagerDescription, event: string): Step {
  if (beforeEvents.length === 0) return { title: "nobody is asked before it", sentences: [] };
  const rates = belongings<RateDescription>(features, "rates").filter(
    ({ events }) => events === "all" || events.includes(event),
  );
  return {
    title: `${listOf(beforeEvents.map(nameOf))} ${beforeEvents.length === 1 ? "is" : "are"} asked`,
    sentences: [
      "What is thrown there is the reply, and no subscriber runs.",
      ...rates.map(({ name, points, durationMs, by, observe }) => {
        const refused = observe ? "more is noted and passes" : "more is answered RATE_LIMITED, with retryAfterMs";
        return `The rate "${name}" counts it: ${count(points)} in ${duration(durationMs)} by ${by}; ${refused}.`;
      }),
    ],
  };
}

function run(row: SubscriptionDescription, cwd: string): Step {
  const { order, guard, use, input, readsArguments, event, timeoutMs, output } = row;
  const where = placeIn(cwd, row.source);
  const sentences = [
    use.length > 0 && insideSentence(use),
    input !== undefined && inputSentence(row),
    input === undefined &&
      readsArguments &&
      !row.builtIn && // which checks it by hand
      !isKept(event) &&
      "What the client sends reaches it as it is: no schema checks it.",
    row.concurrency !== Infinity && laneSentence(row),
    limitSentence(timeoutMs, event),
    output && "Outside production its reply is checked by a schema; one that does not fit is INTERNAL.",
    guard
      ? "Whatever it throws, and its timeout, is the verdict: nobody after it runs."
      : !isKept(event) && "What it throws goes to the error subscribers, and the next one runs all the same.",
  ];
  return {
    title: `${order}. ${nameOf(row)} runs${guard ? ", a guard" : ""}${where === "" ? "" : ` (${where})`}`,
    sentences: sentences.filter((sentence) => sentence !== false),
  };
}

function insideSentence(use: readonly string[]): string {
  const [outermost, ...others] = use;
  return others.length === 0
    ? `It runs inside ${outermost}; what that throws is its failure.`
    : `It runs inside ${listOf(use)}, the outermost first; what one of them throws is its failure.`;
}

function inputSentence({ input = [] }: SubscriptionDescription): string {
  const required = input.flatMap((one) => one.required ?? []);
  const need = required.length === 0 ? "" : ` ${listOf(required)} must be there.`;
  return `Its input is checked by ${inputOf(input)}.${need} What does not fit is INVALID_INPUT with the issues, and the method does not run.`;
}

function laneSentence({ concurrency, keyed, queueMax, overflow }: SubscriptionDescription): string {
  const full =
    overflow === "dropOldest"
      ? "then the one that waits longest is answered OVERLOADED"
      : "more are answered OVERLOADED";
  const runs = concurrency === 1 ? "One run at a time" : `At most ${count(concurrency)} runs at a time`;
  return `${runs} for each ${keyed ? "key" : "socket"}; ${queueMax === 0 ? "none" : count(queueMax)} may wait, ${full}.`;
}

function limitSentence(timeoutMs: number, event: string): string | false {
  if (event === "connect") return false; // all of them together have a limit
  if (timeoutMs === Infinity) return "It may take as long as it likes.";
  return `After ${duration(timeoutMs)} its failure is TIMEOUT, and context.signal aborts.`;
}

function replied({ settings }: ManagerDescription, subscribers: readonly SubscriptionDescription[]): Step {
  const form = subscribers.some(({ callback }) => callback === "errorFirst")
    ? ["Its callback is called as Node's are: (null, value), or (failure)."]
    : [];
  const [only, ...others] = subscribers;
  const value =
    only !== undefined && others.length === 0
      ? `The reply is what ${nameOf(only)} returns.`
      : `The reply is the ${settings.reply} value that one of them returns, undefined being none${settings.reply === "first" ? ", as soon as it is there" : ", once all are done"}.`;
  return {
    title: "the caller is answered, exactly once",
    sentences: [
      value,
      "If none returned a value and one failed, it is the first failure; if there is neither, the acknowledgement is called empty, unless a listener of yours still answers. Without an acknowledgement nothing is sent.",
      ...form,
    ],
  };
}

function failed(): Step {
  return {
    title: "what a failure looks like",
    sentences: [
      'It is { error: { code: "INVALID_INPUT", message: "...", details: { ... } } }. An EventError is sent as it was written; whatever else was thrown is { error: { code: "INTERNAL", message: "internal error" } }, and only the log and the error subscribers hear more.',
    ],
  };
}

function told({ settings }: ManagerDescription, event: string): Step {
  const about: Record<string, string> = {
    connect: `asks, before a socket is admitted; all subscribers together have ${duration(settings.admitTimeoutMs)}, then it is TIMEOUT. Middleware of io.use has run before.`,
    connection: "tells, after a socket was admitted; its events wait until all subscribers are done.",
    disconnecting: "tells, while a socket is still in its rooms, with the reason.",
    disconnect: "tells, after a socket has left its rooms, with the reason, behind its events that wait.",
  };
  return { title: `"${event}" ${about[event] ?? "tells"}`, sentences: ["No client can send it."] };
}

/** What becomes of a name that no client can send, and that nobody subscribes to. */
function keptUnheard(description: ManagerDescription, event: string): Step[] {
  if (forbiddenEvents.has(event))
    return [{ title: `"${event}" is a name of Node's or Socket.IO's own`, sentences: ["It reaches no subscriber."] }];
  const sentences = event === "connect" ? ["Every socket is admitted that middleware of io.use lets through."] : [];
  return [told(description, event), { title: "nobody subscribes to it", sentences }];
}

function verdict(_description: ManagerDescription, event: string): Step[] {
  if (event !== "connect") return [];
  const sentences = [
    "One that throws, or returns false, refuses the socket: its client is told connect_error, whose data is { code, message, details? }; false is FORBIDDEN. If nobody refuses it is admitted.",
  ];
  return [{ title: "the socket is admitted, or refused", sentences }];
}

/** How many letters are to be changed to make one word of the other. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(same, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
