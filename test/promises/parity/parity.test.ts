import { describe, test } from "vitest";
import { connectionBehaviour } from "./connections.js";
import { dispatchBehaviour } from "./dispatch.js";
import { environments, type Register } from "./environment.js";
import { byEventStream, byPlainSocket } from "./plain-listening.js";
import { bySocketIo, pushBehaviour } from "./pushes.js";
import { replyBehaviour } from "./replies.js";
import { socketIoBehaviour } from "./socket-io.js";

const register: Register = (name, run) => {
  test(name, run);
};

// One suite, three times: what differs between the environments is a failure of the test kit, or of the core.
describe.each(environments)("$name", (environment) => {
  describe("Socket.IO itself", () => socketIoBehaviour(environment, register));
  describe("dispatch", () => dispatchBehaviour(environment, register));
  describe("replies", () => replyBehaviour(environment, register));
  describe("connections", () => connectionBehaviour(environment, register));
});

// What is pushed is heard alike by clients that speak no Socket.IO at all.
describe.each([...environments.map(bySocketIo), byEventStream, byPlainSocket])("pushes over $name", (listening) => {
  pushBehaviour(listening, register);
});
