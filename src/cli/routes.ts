import type { SubscriptionDescription } from "../dispatch/subscriptions.js";
import type { CheckedConnections } from "../features/limits/connection-options.js";
import type { RateDescription } from "../features/limits/rate-options.js";
import type { CheckedSlowConsumers } from "../features/limits/slow-consumers.js";
import type { ModelDescription } from "../features/changes/changes.js";
import type { QueueDescription } from "../features/queue/queue-service.js";
import type { TopicDescription } from "../features/realtime/topics.js";
import type { Place } from "../lifecycle/observer.js";
import type { ManagerDescription } from "../manager/description.js";
import { belongings } from "./check.js";
import { table, wrap } from "./table.js";
import { count, duration, inputOf, laneOf, nameOf, placeIn } from "./words.js";

/** How a table is written. */
export interface Style {
  /** How many characters a line has. */
  readonly width: number;
  /** Paths are shown relative to this folder. */
  readonly cwd: string;
  /** Marks a title. */
  readonly title: (text: string) => string;
}

const NOT_STARTED = "Nothing was started: what parts declare only while they start is not shown; with --start it is.";

/** Every event with who runs for it, and whatever else a manager has. */
export function routes(description: ManagerDescription, { width, cwd, title }: Style): string {
  const { events, builtIn, beforeEvents, features, settings, booted } = description;
  const part = (name: string, rows: readonly (readonly string[])[], prose: readonly number[] = [1]): string[] =>
    rows.length === 0 ? [] : ["", title(name), ...table(rows, width, prose)];
  const namespaces = [...new Set(events.map(({ namespace }) => namespace))];
  const of = <Item>(list: string): readonly Item[] => belongings<Item>(features, list);
  const place = (source: Place | undefined): string => placeIn(cwd, source);
  const lines = [
    ...namespaces.flatMap((namespace) => {
      const rows = events.filter((row) => row.namespace === namespace);
      return part(`events of ${namespace}`, eventRows(rows, settings.timeoutMs, cwd), [3, 4]);
    }),
    ...(events.length === 0 ? ["", "no event of the application's own"] : []),
    ...part(
      "asked before each event",
      beforeEvents.map((row) => [nameOf(row), place(row.source)]),
    ),
    ...part(
      "topics",
      of<TopicDescription>("topics").map((topic) => [topic.pattern, topicWords(topic), place(topic.source)]),
    ),
    ...part(
      "actions that signals have named",
      of<{ event: string }>("actions").map(({ event }) => [event]),
    ),
    ...part(
      "models",
      of<ModelDescription>("models").map(({ name, topics, policy, variants }) => [
        name,
        `topics ${topics.join(", ")}; ${policy === "public" ? "public" : "asks mayRead"}${variants === undefined ? "" : `; variants ${variants.join(", ")}`}`,
      ]),
    ),
    ...part(
      "documents",
      of<{ pattern: string; autosaveMs: number; maxDocumentBytes: number; source?: Place }>("documents").map((one) => [
        one.pattern,
        `asks at join; saved after ${duration(one.autosaveMs)}; at most ${count(one.maxDocumentBytes)} bytes`,
        place(one.source),
      ]),
    ),
    ...part(
      "queues",
      of<QueueDescription>("queues").map((queue) => [queue.name, queueWords(queue), place(queue.source)]),
    ),
    ...part(
      "rates",
      of<RateDescription>("rates").map((rate) => [rate.name, rateWords(rate)]),
    ),
    ...part("limits", [
      ...of<CheckedConnections>("connections").map((limits) => ["connections", connectionWords(limits)]),
      ...of<CheckedSlowConsumers>("slowConsumers").map(({ maxBytes }) => [
        "slow consumers",
        `end when ${count(maxBytes)} bytes wait for them`,
      ]),
    ]),
    ...part(
      "tokens",
      of<{ namespace: string; from: readonly string[]; optional: boolean }>("tokens").map((one) => [
        one.namespace,
        `looked for in ${one.from.join(", ")}; ${one.optional ? "guests come in without" : "nobody comes in without"}`,
      ]),
    ),
    ...part("parts", partRows(description), [3]),
    ...part(
      "built in",
      [...new Set(builtIn.map(({ handler }) => handler))].map((handler) => [
        handler ?? "",
        builtIn
          .filter((row) => row.handler === handler)
          .map(({ event }) => event)
          .join(", "),
      ]),
    ),
    "",
    title("unless an event says otherwise"),
    ...table([[holdsWords(description)]], width, [0]),
    ...(booted ? [] : ["", ...wrap(NOT_STARTED, width)]),
  ];
  return `${lines.slice(1).join("\n")}\n`;
}

function eventRows(rows: readonly SubscriptionDescription[], timeoutMs: number, cwd: string): string[][] {
  const body = rows.map((row) => [
    row.order === 1 ? row.event : "",
    String(row.order),
    nameOf(row),
    inputOf(row.input) || (row.readsArguments ? "unchecked" : "-"),
    withWords(row, timeoutMs).join("; "),
    placeIn(cwd, row.source),
  ]);
  const head = ["event", "#", "runs", "input", "with", "where"];
  const isUsed = (_: string, column: number): boolean => body.some((row) => row[column] !== "");
  return [head, ...body].map((row) => row.filter(isUsed));
}

function withWords(row: SubscriptionDescription, timeoutMs: number): string[] {
  const said = [
    row.guard && "guard",
    row.priority !== 100 && `priority ${row.priority}`,
    row.timeoutMs !== timeoutMs &&
      (row.timeoutMs === Infinity ? "no time limit" : `at most ${duration(row.timeoutMs)}`),
    row.concurrency !== Infinity && laneOf(row),
    row.callback === "errorFirst" && "error first",
    row.output && "reply checked",
    row.use.length > 0 && `through ${row.use.join(", ")}`,
    row.handler === undefined && row.owner !== undefined && `owner ${row.owner}`,
  ];
  return said.filter((word) => word !== false);
}

function topicWords({ policy, input, presence, history, snapshot, variant }: TopicDescription): string {
  const said = [
    policy === "public" ? "public" : "asks at join",
    input !== undefined && `input ${inputOf(input)}`,
    snapshot && "snapshot",
    presence && "presence",
    variant && "variants",
    history !== undefined && `history of ${count(history.keep)} pushes, ${duration(history.maxAgeMs)}`,
  ];
  return said.filter((word) => word !== false).join("; ");
}

function queueWords({ maxSize, handled, batchSize, concurrency, attempts, timeoutMs }: QueueDescription): string {
  const waiting = `at most ${count(maxSize)} wait`;
  if (!handled) return `${waiting}; no handler here`;
  const limit = timeoutMs === undefined || timeoutMs === Infinity ? "" : `; at most ${duration(timeoutMs)} each`;
  return `${waiting}; batches of ${count(batchSize ?? 1)}, ${count(concurrency ?? 1)} at once; ${attempts} attempts${limit}`;
}

/** `8 in 5 s by user; message, typing`. */
export function rateWords({ points, durationMs, by, events, blockMs, store, observe }: RateDescription): string {
  const said = [
    `${count(points)} in ${duration(durationMs)} by ${by}`,
    events === "all" ? "every event" : events.join(", "),
    blockMs > 0 && `then refused for ${duration(blockMs)}`,
    store && "counted by all nodes together",
    observe && "only observed",
  ];
  return said.filter((word) => word !== false).join("; ");
}

function connectionWords({ max, perUser, perIp, whenUserIsFull, idleMs, joinWithinMs }: CheckedConnections): string {
  const full = whenUserIsFull === "closeOldest" ? ", the oldest makes room" : "";
  const said = [
    max !== Infinity && `${count(max)} in all`,
    perUser !== Infinity && `${count(perUser)} of a user${full}`,
    perIp !== Infinity && `${count(perIp)} from an address`,
    idleMs !== Infinity && `ended after ${duration(idleMs)} without an event`,
    joinWithinMs !== Infinity && `a namespace joined within ${duration(joinWithinMs)}`,
  ];
  return said.filter((word) => word !== false).join("; ");
}

function partRows({ services, controllers, handlers }: ManagerDescription): string[][] {
  return Object.entries({ services, controllers, handlers }).flatMap(([kind, parts]) =>
    parts.map(({ name, class: own, requires, untold }, i) => {
      const needs = requires.length === 0 ? "" : `requires ${requires.join(", ")}`;
      const why = untold === undefined ? "" : `its events can't be told before it starts: ${untold}`;
      return [i === 0 ? kind : "", name, own, [needs, why].filter((word) => word !== "").join("; ")];
    }),
  );
}

function holdsWords({ settings }: ManagerDescription): string {
  const { timeoutMs, maxInFlight, maxPending, admitTimeoutMs, reply, unknownEvents } = settings;
  return [
    timeoutMs === Infinity
      ? "there is no time limit"
      : `a subscriber has ${duration(timeoutMs)}, the connect subscribers of a socket ${duration(admitTimeoutMs)} together`,
    `${count(maxInFlight)} events of a connection run at once, ${count(maxPending)} wait`,
    `the ${reply} value is the reply`,
    `unknown events are ${unknownEvents === "leave" ? "left alone" : "answered UNKNOWN_EVENT"}`,
  ].join("; ");
}
