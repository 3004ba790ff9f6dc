import { Changes, type ChangesOptions } from "socket-ingress/changes";
import { type Door, type DoorOptions, open } from "../realtime/door.js";

/** What most tests follow. */
export interface Post {
  readonly id: number;
  readonly title: string;
  readonly authorId: number;
  readonly email?: string;
}

/** A post of these tests. */
export function post(id: number, more: Partial<Post> = {}): Post {
  return { id, title: `post ${id}`, authorId: 7, ...more };
}

/** What a test may say about its server. */
export interface FollowedOptions extends DoorOptions {
  readonly changes?: Omit<ChangesOptions, "realtime">;
}

/** A server whose models are followed. */
export interface Followed<Models> extends Door {
  readonly changes: Changes;
  readonly models: Models;
  /** What error subscribers were told, as `[method, message]`. */
  readonly errors: [method: string | undefined, message: string][];
}

/** Starts a server with the models that `define` defines. */
export async function followed<Models>(
  define: (changes: Changes) => Models,
  { changes: options, before, ...rest }: FollowedOptions = {},
): Promise<Followed<Models>> {
  let changes: Changes | undefined;
  let models: Models | undefined;
  const errors: [string | undefined, string][] = [];
  const door = await open({
    ...rest,
    before: (manager, realtime) => {
      changes = new Changes({ realtime, ...options });
      models = define(changes);
      manager.registerHandler(changes);
      before?.(manager, realtime);
    },
  });
  door.ingress.subscribeErrorDefault((error, { method }) => errors.push([method, String(error)]));
  return Object.defineProperties(
    { changes, models, errors },
    Object.getOwnPropertyDescriptors(door),
  ) as unknown as Followed<Models>;
}

/** The roles of the tests' users: what is before the dot of `user.1`. */
export const byRole: Pick<ChangesOptions, "variant"> = { variant: ({ user }) => user?.split(".")[0] };
