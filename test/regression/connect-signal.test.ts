import { expect, it, vi } from "vitest";
import { serveIngress } from "../fixtures/ingress.js";
import { RawClient } from "../fixtures/raw-client.js";

it("the signal of a connect subscriber aborts when the application's own middleware refuses the socket, as soon as that can be known", async () => {
  await using app = await serveIngress();
  const signals: AbortSignal[] = [];
  app.ingress.subscribe("connect", ({ signal }) => {
    signals.push(signal);
    signal.addEventListener("abort", () => undefined);
    return true;
  });
  let refuses = true;
  app.io.use((_socket, next) => next(refuses ? new Error("not you") : undefined));
  await using client = await RawClient.open(app.url);
  const aborted = (): boolean[] => signals.map((signal) => signal.aborted);
  expect((await client.connect()).admitted).toBe(false);
  expect((await client.connect()).admitted).toBe(false);
  expect(aborted()).toEqual([true, false]);
  refuses = false;
  expect((await client.connect()).admitted).toBe(true);
  expect(aborted()).toEqual([true, true, false]);

  refuses = true;
  await using other = await RawClient.open(app.url);
  expect((await other.connect()).admitted).toBe(false);
  other.terminate();
  await vi.waitFor(() => expect(aborted()).toEqual([true, true, false, true]));
  client.terminate();
  await vi.waitFor(() => expect(aborted()).toEqual([true, true, true, true]));
});
