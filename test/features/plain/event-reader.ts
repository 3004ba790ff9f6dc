import { get, type IncomingHttpHeaders, type IncomingMessage } from "node:http";

/** One event as it came. */
export interface Told {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: any;
}

/** A client that reads an event stream by hand, as the specification says. */
export interface EventReader extends AsyncDisposable {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Everything that came. */
  readonly text: string;
  readonly events: readonly Told[];
  readonly comments: number;
  /** What an EventSource would say when it comes back. */
  readonly lastId: string | undefined;
  readonly retry: number | undefined;
  /** Resolves when it is over; never rejects. */
  readonly ended: Promise<void>;
  /** The data of all events of a name. */
  got(event: string): any[];
  /** Resolves when something holds, looked at after everything that comes. */
  until(holds: () => boolean): Promise<void>;
  /** Stops reading. */
  pause(): void;
  /** Reads on. */
  resume(): void;
  /** Ends the connection, as a network does. */
  close(): void;
}

/** Asks for an event stream; resolves with its head. */
export async function read(
  url: string,
  {
    headers = {},
    method = "GET",
    lastId,
  }: { headers?: Record<string, string>; method?: string; lastId?: string | undefined } = {},
): Promise<EventReader> {
  const all = { ...headers, ...(lastId !== undefined && { "last-event-id": lastId }) };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(url, { headers: all, method, agent: false }, resolve).on("error", reject);
  });
  const events: Told[] = [];
  const waiting = new Set<() => void>();
  let [text, rest, comments] = ["", "", 0];
  let lastId_: string | undefined = lastId;
  let retry: number | undefined;
  const wake = (): void => {
    for (const look of [...waiting]) look();
  };
  const readBlock = (block: string): void => {
    const lines = block.split("\n");
    const field = (name: string): string | undefined =>
      lines
        .find((line) => line.startsWith(`${name}:`))
        ?.slice(name.length + 1)
        .replace(/^ /, "");
    comments += lines.filter((line) => line.startsWith(":")).length;
    retry = field("retry") === undefined ? retry : Number(field("retry"));
    lastId_ = field("id") ?? lastId_;
    const data = field("data");
    if (data !== undefined)
      events.push({ event: field("event") ?? "message", id: field("id"), data: JSON.parse(data) });
  };
  response.setEncoding("utf8");
  response.on("data", (chunk: string) => {
    text += chunk;
    rest += chunk;
    const blocks = rest.split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) readBlock(block);
    wake();
  });
  response.on("error", () => undefined);
  const ended = new Promise<void>((resolve) => {
    response.once("close", () => {
      resolve();
      wake();
    });
  });
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    get text() {
      return text;
    },
    events,
    get comments() {
      return comments;
    },
    get lastId() {
      return lastId_;
    },
    get retry() {
      return retry;
    },
    ended,
    got: (event) => events.filter((each) => each.event === event).map(({ data }) => data as unknown),
    until: (holds) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (holds()) resolve();
          else if (response.closed) reject(new Error(`the stream ended first: ${text}`));
          else return;
          waiting.delete(look);
        };
        waiting.add(look);
        look();
      }),
    pause: () => void response.pause(),
    resume: () => void response.resume(),
    close: () => void response.destroy(),
    async [Symbol.asyncDispose]() {
      response.destroy();
      await ended;
    },
  };
}

/** What an answer that is no stream says. */
export async function failureOf(url: string, headers: Record<string, string> = {}) {
  const response = await fetch(url, { headers });
  const type = response.headers.get("content-type") ?? "";
  return {
    status: response.status,
    type,
    retryAfter: response.headers.get("retry-after"),
    body: type.includes("json") ? await response.json() : await response.text(),
  };
}
