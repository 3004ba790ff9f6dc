/** So many users are sent to at once. */
const AT_ONCE = 100;

/** Does something for each user, so many at once; of one who is named twice once. Rejects with the first failure, and begins no more. */
export async function toEach<Result>(
  users: readonly string[],
  work: (user: string) => Promise<Result>,
): Promise<Result[]> {
  const done = new Map<string, Result>();
  const waiting = [...new Set(users)].values();
  let failed = false;
  const worker = async (): Promise<void> => {
    for (const user of waiting) {
      if (failed) return;
      try {
        done.set(user, await work(user));
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const workers = await Promise.allSettled(Array.from({ length: AT_ONCE }, worker));
  for (const outcome of workers) if (outcome.status === "rejected") throw outcome.reason;
  return users.map((user) => done.get(user) as Result); // all are done
}
