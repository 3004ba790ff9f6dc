import { expect, it } from "vitest";
import type { Identity } from "socket-ingress/realtime";
import { Realtime } from "socket-ingress/realtime";
import { type As, open } from "./door.js";

it("at connect it is said whose a socket will be, and nothing is kept of it", async () => {
  const said: (Identity | undefined)[] = [];
  await using door = await open({
    user: async ({ handshake }) => (handshake.auth as As).user,
    before: ({ ingress }, realtime) => {
      ingress.subscribe("connect", async ({ socket }) => {
        said.push(await realtime.whoConnects(socket), realtime.identify(socket));
        return true;
      });
    },
  });
  const ann = await door.enter({ user: "ann", session: "s" });
  expect(said).toEqual([
    { user: "ann", session: "s" },
    { user: undefined, session: undefined },
  ]);
  expect(door.realtime.identify(door.served.serverSide(ann.socket))).toEqual({ user: "ann", session: "s" });
});

it("without functions for it a socket is nobody's, at once; what they throw is thrown", () => {
  expect(new Realtime().whoConnects({} as never)).toEqual({ user: undefined, session: undefined });
  const broken = new Realtime({ user: () => "" });
  expect(() => broken.whoConnects({} as never)).toThrow("the user of a socket must be a non-empty string");
});
