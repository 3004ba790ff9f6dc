import type { Notifications } from "socket-ingress/notifications";
import type { QueueService } from "socket-ingress/queue";
import type { App, Post } from "./app.js";
import type { FollowersRepository } from "./followers-repository.js";

/** What happened to a post, and who did it, if that is known. */
export interface Written {
  action: "updated" | "deleted";
  post: Post;
  by: string | undefined;
}

/** One notification that is to be sent. */
interface News extends Written {
  to: string;
}

/**
 * Tells those who follow a post what happened to it, but for whoever did it. The route does not wait: each notification is a job, and up to
 * 50 jobs are sent at a time.
 *
 * @returns to be called after a write
 */
export function tellFollowers(
  queue: QueueService<App>,
  followers: FollowersRepository,
  notifications: Notifications<App>,
): (written: Written) => Promise<void> {
  queue.process<News>(
    "news",
    async (jobs) => {
      // A job that runs again sends again: the key makes it one notification all the same.
      const send = ({ data, id }: (typeof jobs)[number]) =>
        notifications.send(data.to, { ...textOf(data), data: { post: data.post.id }, idempotencyKey: id });
      await Promise.all(jobs.map((job) => send(job).catch((error: unknown) => job.fail(error))));
    },
    { batchSize: 50, attempts: 5 },
  );

  return async (written) => {
    const { id } = written.post;
    try {
      const others = (await followers.followersOf(id)).filter((name) => name !== written.by);
      if (written.action === "deleted") await followers.forget(id);
      if (others.length > 0)
        await queue.enqueue(
          "news",
          others.map((to) => ({ ...written, to })),
        );
    } catch (error) {
      console.error(`the followers of post ${id} are not told:`, error); // a full queue, for instance
    }
  };
}

function textOf({ action, post, by = "Somebody" }: Written): { title: string; message: string; icon: string } {
  const title = `“${post.title}”`;
  return action === "updated"
    ? { title, message: `${by} has changed it.`, icon: "✎" }
    : { title, message: `${by} has deleted it.`, icon: "✕" };
}
