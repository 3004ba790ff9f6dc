/** As much of jose as the door uses, and no type of it in what the door shows: where it is not installed, its types are not either. */
export type Jose = typeof import("jose");

let loading: Promise<Jose> | undefined;

/**
 * jose, loaded when the first token is looked at: the door itself can be loaded without (decision 0057).
 *
 * @throws Error (as a rejection) when it is not installed
 */
export function loadJose(): Promise<Jose> {
  loading ??= import("jose").catch((cause: unknown) => {
    loading = undefined;
    throw new Error(
      "socket-ingress/auth needs jose: install it; where require knows no ES modules it can't be loaded",
      {
        cause,
      },
    );
  });
  return loading;
}
