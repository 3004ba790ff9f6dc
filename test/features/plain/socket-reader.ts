import { WebSocket } from "ws";

/** A WebSocket client without a library of ours. */
export interface SocketReader extends AsyncDisposable {
  readonly ws: WebSocket;
  /** Each text frame, parsed. */
  readonly frames: any[];
  /** Resolves with how it was closed. */
  readonly closed: Promise<{ code: number; reason: string }>;
  say(frame: unknown): void;
  /** Says something with an id, and resolves with what is answered under it. */
  ask(frame: object): Promise<any>;
  until(holds: () => boolean): Promise<void>;
}

/** Opens one; resolves when the handshake is through, whatever becomes of it then. */
export async function dial(url: string, headers: Record<string, string> = {}): Promise<SocketReader> {
  const ws = new WebSocket(url.replace(/^http/, "ws"), { headers });
  const frames: any[] = [];
  const waiting = new Set<() => void>();
  const wake = (): void => {
    for (const look of [...waiting]) look();
  };
  let isClosed = false;
  let ids = 0;
  ws.on("message", (data) => {
    frames.push(JSON.parse(String(data)));
    wake();
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    ws.on("close", (code, reason) => {
      isClosed = true;
      resolve({ code, reason: String(reason) });
      wake();
    });
  });
  await new Promise<void>((resolve, reject) => {
    ws.once("open", resolve);
    ws.once("error", reject);
  });
  ws.on("error", () => undefined);
  const until = (holds: () => boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (holds()) resolve();
        else if (isClosed) reject(new Error(`the WebSocket closed first: ${JSON.stringify(frames)}`));
        else return;
        waiting.delete(look);
      };
      waiting.add(look);
      look();
    });
  return {
    ws,
    frames,
    closed,
    until,
    say: (frame) => ws.send(typeof frame === "string" ? frame : JSON.stringify(frame)),
    async ask(frame) {
      const id = `q${++ids}`;
      ws.send(JSON.stringify({ ...frame, id }));
      await until(() => frames.some((one) => one.id === id));
      return frames.find((one) => one.id === id) as unknown;
    },
    async [Symbol.asyncDispose]() {
      ws.terminate();
      await closed;
    },
  };
}
