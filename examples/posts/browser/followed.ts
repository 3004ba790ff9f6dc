import type { Client } from "socket-ingress/client";
import type { App } from "../app.js";

/** Which posts this visitor follows, in whichever of their tabs they said so. */
export class Followed {
  private readonly client: Client<App>;
  private readonly onChange: () => void;
  private ids: ReadonlySet<number> = new Set();

  constructor(client: Client<App>, onChange: () => void) {
    this.client = client;
    this.onChange = onChange;
    client.on("followed", (ids) => this.set(ids));
    client.onStatus(({ connected }) => {
      if (connected) client.call("followed").then((ids) => this.set(ids), console.warn);
    });
  }

  has(post: number): boolean {
    return this.ids.has(post);
  }

  async flip(post: number): Promise<void> {
    this.set(await this.client.call("follow", { post, isFollowed: !this.has(post) }));
  }

  private set(ids: readonly number[]): void {
    this.ids = new Set(ids);
    this.onChange();
  }
}
