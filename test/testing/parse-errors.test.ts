import { expect, test } from "vitest";
import { fakeServer } from "socket-ingress/testing";
import { deferred } from "../fixtures/deferred.js";

// More attachments than a client takes, and a placeholder that names none of them: both encode, and neither can be decoded.
const undecodable = {
  "eleven attachments": Array.from({ length: 11 }, () => Buffer.from("x")),
  "a forged placeholder": { file: Buffer.from("x"), note: { _placeholder: true, num: 7 } },
};

test.each(Object.entries(undecodable))(
  "a client that can't decode %s is lost with `parse error`, and nobody else notices",
  async (_name, value) => {
    await using io = fakeServer();
    const reasons: string[] = [];
    const gone = deferred();
    io.on("connection", (socket) => {
      socket.on("photo", (reply: (photo: unknown) => void) => reply(value));
      socket.on("disconnect", (reason) => {
        reasons.push(reason);
        gone.resolve();
      });
    });
    const [asker, other] = [await io.connect(), await io.connect()];
    const heard: string[] = [];
    asker.on("disconnect", (reason) => void heard.push(reason));
    await expect(asker.receive("photo")).rejects.toThrow("disconnected");
    await gone.promise;
    expect(heard).toEqual(["parse error"]);
    expect(reasons).toEqual(["transport close"]);
    expect(asker.connected).toBe(false);
    expect(other.connected).toBe(true);

    // A push: the publisher goes on, and whoever can't read it is lost.
    io.emit("photo", value);
    await expect.poll(() => other.connected).toBe(false);
    await asker.reconnect();
    expect(asker.connected).toBe(true);
  },
);
