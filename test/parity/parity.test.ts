import { describe } from "vitest";
import { connectionBehaviour } from "./connections.js";
import { dispatchBehaviour } from "./dispatch.js";
import { fakeSockets, inMemoryServer, realSockets } from "./environment.js";
import { replyBehaviour } from "./replies.js";

// One suite, three times: what differs between the environments is a failure of the test kit, or of the core.
describe.each([realSockets, inMemoryServer, fakeSockets])("$name", (environment) => {
  describe("dispatch", () => dispatchBehaviour(environment));
  describe("replies", () => replyBehaviour(environment));
  describe("connections", () => connectionBehaviour(environment));
});
