import { EventError, type EventContext, type EventMap, Handler } from "socket-ingress";
import { type Realtime, user } from "socket-ingress/realtime";
import { type App, type FollowWish, followWish } from "./app.js";
import type { FollowersRepository } from "./followers-repository.js";
import { visitorOf } from "./visitors.js";

/** Follows and unfollows posts in the name of whoever asks, and keeps all of their tabs up to date. */
export class FollowersHandler extends Handler<App> {
  readonly name = "followers";
  readonly events = {
    follow: { run: this.onFollow, input: followWish },
    followed: this.onFollowed,
  } satisfies EventMap<FollowersHandler, App>;
  private readonly followers: FollowersRepository;
  private readonly realtime: Realtime<App>;

  constructor(followers: FollowersRepository, realtime: Realtime<App>) {
    super();
    this.followers = followers;
    this.realtime = realtime;
  }

  private async onFollow(context: EventContext<App>, { post, isFollowed }: FollowWish): Promise<number[]> {
    const name = nameOf(context);
    if (isFollowed) await this.followers.follow(post, name);
    else await this.followers.unfollow(post, name);
    const followed = await this.followers.followedBy(name);
    void this.realtime.emitSocket("followed", followed, user(name));
    return followed;
  }

  private onFollowed(context: EventContext<App>): Promise<number[]> {
    return this.followers.followedBy(nameOf(context));
  }
}

function nameOf({ socket }: EventContext<App>): string {
  const visitor = visitorOf(socket.handshake);
  if (visitor === undefined) throw new EventError("UNAUTHENTICATED", "who are you? Open the page first");
  return visitor.name;
}
