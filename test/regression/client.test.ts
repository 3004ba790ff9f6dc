import { createClient, type EventFailure } from "socket-ingress/client";
import { expect, it, vi } from "vitest";
import { deferred } from "../client/fixtures/deferred.js";
import { recordingLogger } from "../client/fixtures/recorder.js";
import { open } from "../features/realtime/door.js";

it("a policy that fails for a moment while a recovered connection is reviewed does not cost the client its topic", async () => {
  await using door = await open({ server: { connectionStateRecovery: {} } });
  let broken = false;
  const [askedAgain, backIn] = [deferred(), deferred()];
  door.realtime.topics.define("t", {
    join: () => {
      if (!broken) return;
      askedAgain.resolve();
      throw new Error("the database is restarting");
    },
    snapshot: () => 1,
  });
  const socket = door.served.client({ reconnection: true, reconnectionDelay: 1, auth: { user: "ada" } });
  const logger = recordingLogger();
  const client = createClient(socket, { logger });
  socket.connect();
  const lost = vi.fn<(failure: EventFailure) => void>();
  let snapshots = 0;
  await client.joinTopic("t", { onLost: lost, onJoined: () => ++snapshots === 2 && backIn.resolve() });
  // Socket.IO recovers from the last thing it sent.
  const sent = new Promise((resolve) => socket.once("offset", resolve));
  await door.realtime.emitSocket("offset", 0);
  await sent;
  broken = true;
  const back = new Promise<{ recovered: boolean }>((resolve) => client.onReconnect(resolve));
  const evicted = new Promise((resolve) => socket.once("ingress:evicted", resolve));
  // The pause before the topic is asked for again: half a second to one.
  vi.spyOn(Math, "random").mockReturnValue(0);
  socket.io.engine.close();
  expect(await back).toEqual({ recovered: true });
  await Promise.all([askedAgain.promise, evicted]);
  broken = false;
  const heard = new Promise((resolve) => client.on("news", resolve));
  await backIn.promise;
  await door.realtime.emitSocket("news", 1, { topic: "t" });
  expect(await heard).toBe(1);
  expect([lost.mock.calls, logger.lines]).toEqual([[], []]);
});
