import { EventFailure } from "socket-ingress/client";
import { byId, element, showItems } from "../../page/dom.js";

/** Something that was said, and that the server has not answered yet. */
export interface Entry {
  readonly by: string;
  readonly room: string;
  readonly text: string;
  /** Under this it is said once, however often it is sent. */
  readonly requestId: string;
}

const SHOWN_AFTER_MS = 1_000;

/**
 * What was said and not answered yet. It is sent in order, as soon as and whenever the server has let us into its room, and is kept
 * until an answer came; what waits for longer than a moment is shown.
 */
export class Outbox {
  private readonly send: (entry: Entry) => Promise<unknown>;
  private readonly refused: (entry: Entry, failure: EventFailure) => void;
  private readonly shown = new Set<Entry>();
  private readonly open = new Set<string>();
  private entries: Entry[] = [];
  private sending = false;
  private watchers: (() => void)[] = [];

  /**
   * @param send - rejects with an `EventFailure`
   * @param refused - told what the server will not have; it is kept no longer
   */
  constructor(send: (entry: Entry) => Promise<unknown>, refused: (entry: Entry, failure: EventFailure) => void) {
    this.send = send;
    this.refused = refused;
  }

  add(by: string, room: string, text: string): void {
    const entry = { by, room, text, requestId: Array.from(crypto.getRandomValues(new Uint32Array(4))).join("-") };
    this.entries.push(entry);
    const reveal = (): void => void (this.entries.includes(entry) && this.show(entry));
    if (this.open.has(room)) setTimeout(reveal, SHOWN_AFTER_MS);
    else reveal();
    void this.flush();
  }

  /** The server has let us into a room, under this name: what others said here before is not ours to send. */
  opened(room: string, me: string): void {
    this.open.add(room);
    for (const entry of this.entries.filter(({ by }) => by !== me)) this.drop(entry);
    void this.flush();
  }

  /** Nothing can be sent to this room for now, or to any. */
  closed(room?: string): void {
    if (room === undefined) this.open.clear();
    else this.open.delete(room);
    for (const entry of this.entries) if (!this.open.has(entry.room)) this.show(entry);
  }

  /** There is no such room, and there will be none. */
  refuse(room: string, failure: EventFailure): void {
    for (const entry of this.entries.filter((each) => each.room === room)) this.refuseOne(entry, failure);
  }

  /** Resolves when nothing waits for this room. */
  async emptied(room: string): Promise<void> {
    while (this.entries.some((entry) => entry.room === room)) {
      await new Promise<void>((resolve) => this.watchers.push(resolve));
    }
  }

  private async flush(): Promise<void> {
    if (this.sending) return;
    this.sending = true;
    for (let next = this.next(); next !== undefined; next = this.next()) await this.attempt(next);
    this.sending = false;
  }

  private next(): Entry | undefined {
    return this.entries.find(({ room }) => this.open.has(room));
  }

  private async attempt(entry: Entry): Promise<void> {
    try {
      await this.send(entry);
      this.drop(entry);
    } catch (error) {
      if (!(error instanceof EventFailure)) throw error;
      if (!error.answered) return; // it may have arrived: its id tells the server
      if (error.code === "SHUTTING_DOWN") return this.closed();
      // Who said a lot without a connection says it at the pace that is allowed.
      if (error.retryAfterMs === undefined || !this.shown.has(entry)) return this.refuseOne(entry, error);
      await new Promise((resolve) => setTimeout(resolve, error.retryAfterMs));
    }
  }

  private refuseOne(entry: Entry, failure: EventFailure): void {
    this.drop(entry);
    this.refused(entry, failure);
  }

  private show(entry: Entry): void {
    this.shown.add(entry);
    this.render();
  }

  private drop(entry: Entry): void {
    this.entries = this.entries.filter((each) => each !== entry);
    if (this.shown.delete(entry)) this.render();
    for (const look of this.watchers.splice(0)) look();
  }

  private render(): void {
    showItems(
      byId("outbox"),
      this.entries.filter((entry) => this.shown.has(entry)),
      ({ requestId }) => requestId,
      ({ room, text }) => element("li", "", element("small", "", `not sent yet · # ${room}`), element("p", "", text)),
    );
  }
}
